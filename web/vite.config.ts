import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

// The build must come out byte for byte the same everywhere: no dates, no
// host names, no environment in it; names in assets/ follow the content.
export default defineConfig(({ mode }) => ({
  base: './',
  plugins: [svelte()],
  resolve: mode === 'test' ? { conditions: ['browser'] } : {},
  build: {
    target: ['chrome123', 'edge123', 'firefox128', 'safari17.5'],
    outDir: 'dist',
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  server: { proxy: { '/ws': { target: 'http://127.0.0.1:8420', ws: true }, '/demo': 'http://127.0.0.1:8420' } },
  test: { include: ['src/**/*.test.ts'], restoreMocks: true },
}))
