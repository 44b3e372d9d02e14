import type { UserConfig } from 'vite'

// The build must come out byte for byte the same everywhere: no dates, no
// host names, no environment in it; names in assets/ follow the content.
export const reproducible = {
  base: './',
  build: {
    target: ['chrome123', 'edge123', 'firefox128', 'safari17.5'],
    outDir: 'dist',
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    // No component of the page is a custom element.
    rolldownOptions: { treeshake: { moduleSideEffects: [{ test: /internal\/client\/dom\/elements\/custom-element\.js$/, sideEffects: false }] } },
  },
} satisfies UserConfig
