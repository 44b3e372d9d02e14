import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'
import { reproducible } from '../vite.shared.ts'

// The console: a page of its own, served on an address of its own, so that
// nothing of it stands on the chat's.
export default defineConfig({
  ...reproducible,
  root: 'console', // seen from web/
  plugins: [svelte({ configFile: '../svelte.config.js' })],
  build: { ...reproducible.build, outDir: 'dist', chunkSizeWarningLimit: 600 },
  server: { proxy: { '/api': 'http://127.0.0.1:8081' } },
})
