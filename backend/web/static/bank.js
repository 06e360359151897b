// Keys of one letter on the list of bank lines; without this file everything is there all the same.
// j, k: next, previous line. a: go to the button that accepts. f, s, b, d, u: open what the link of the line opens; x:
// all that is exact. Nothing is sent by a key.
(function () {
  const rows = Array.from(document.querySelectorAll('[data-row]'))
  let at = -1
  function go (step) {
    if (!rows.length) return
    at = Math.min(Math.max(at + step, 0), rows.length - 1)
    rows[at].querySelector('a').focus()
  }
  function here () {
    const row = document.activeElement.closest('[data-row]')
    if (row) at = rows.indexOf(row)
    return rows[Math.max(at, 0)]
  }
  document.addEventListener('keydown', function (event) {
    const target = event.target
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return
    if (target.closest('input, textarea, select, [contenteditable]')) return
    const row = here()
    if (event.key === 'j') go(1)
    else if (event.key === 'k') go(-1)
    else if ('afsbdux'.includes(event.key) && event.key.length === 1) {
      const mark = '[data-key="' + event.key + '"]'
      const part = (row && row.querySelector(mark)) || ('ux'.includes(event.key) && document.querySelector(mark))
      if (!part) return
      if (part.tagName === 'A') window.location = part.href
      else part.focus()
    } else return
    event.preventDefault()
  })
})()
