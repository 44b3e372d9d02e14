import { mount } from 'svelte'
import { tongue } from './i18n/language.svelte'
import App from './App.svelte'
import './app.css'

// Where its texts can't be fetched the page speaks Chinese.
void tongue
  .begin()
  .catch(() => {})
  .then(() => mount(App, { target: document.getElementById('app')! }))
