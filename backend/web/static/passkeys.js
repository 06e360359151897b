// Shows the sentence of the page when a passkey does not answer; the rest is django-allauth's own script.
document.addEventListener('allauth.error', function (event) {
  event.preventDefault()
  document.getElementById('passkey-trouble').hidden = false
})
