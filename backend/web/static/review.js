// Keys of one letter on the pages of review; without this file everything is there all the same.
// j, k: next, previous row. a: tick the row, or go to the button that approves. c: contest. Nothing is sent by a key.
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
    return row
  }
  function open (id) {
    const part = document.getElementById(id)
    if (!part) return
    if ('open' in part) part.open = true
    const field = part.querySelector('textarea')
    if (field) field.focus()
  }
  document.addEventListener('keydown', function (event) {
    const target = event.target
    const writes = target.closest('textarea, select, [contenteditable]') ||
      (target.tagName === 'INPUT' && target.type !== 'checkbox')
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || writes) return
    const row = here()
    if (event.key === 'j') go(1)
    else if (event.key === 'k') go(-1)
    else if (event.key === 'a' && row) {
      const box = row.querySelector('input[type=checkbox]')
      if (box) box.checked = !box.checked
    } else if (event.key === 'c' && row) window.location = row.querySelector('a').href + '#object'
    else if (event.key === 'a' && document.getElementById('approve')) document.getElementById('approve').focus()
    else if (event.key === 'c') open('object')
    else return
    event.preventDefault()
  })
  if (window.location.hash === '#object') open('object')
})()
