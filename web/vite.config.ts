import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'
import type { Reporter } from 'vitest/node'
import { reproducible } from './vite.shared.ts'

// Scripts that add up test counts read this line.
const countingReporter: Reporter = {
  onTestRunEnd(modules) {
    const tests = modules.flatMap((module) => [...module.children.allTests()])
    const passed = tests.filter((test) => test.result().state === 'passed').length
    const broken = modules.filter((module) => module.errors().length > 0).length
    console.log(`${passed} passed, ${tests.length - passed + broken} failed`)
  },
}

export default defineConfig(({ mode }) => ({
  ...reproducible,
  plugins: [svelte()],
  // The page is built from the library's source, by the names under which others install it.
  resolve: { tsconfigPaths: true, ...(mode === 'test' && { conditions: ['browser'] }) },
  server: { proxy: { '/ws': { target: 'http://127.0.0.1:8080', ws: true }, '/demo': 'http://127.0.0.1:8080' } },
  test: { include: mode === 'program' ? ['lib/test/*.program.ts'] : ['src/**/*.test.ts', 'console/src/**/*.test.ts', 'lib/test/*.test.ts', 'docs/**/*.test.ts'], restoreMocks: true, reporters: ['default', countingReporter] },
}))
