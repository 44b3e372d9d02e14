import { expect, test } from 'vitest'
import { behind, done, slowest, type Job, type Model, type Progress } from './builds'

const progress = (projection: string, events: number, total: number): Progress => ({
  projection, build: 1, phase: 'filling', events, total, eventsPerSecond: 1, secondsLeft: 1, partitions: [],
})
const job = (...all: Progress[]): Job => ({ id: 1, kind: 'replay', projections: [], started: '', over: false, progress: all })

test('the build that is furthest behind speaks for a job', () => {
  expect(done(job())).toBeUndefined()
  expect(done(job(progress('a', 0, 0)))).toBe(1)
  const two = job(progress('a', 90, 100), progress('b', 50, 100))
  expect(done(two)).toBe(0.5)
  expect(slowest(two)?.projection).toBe('b')
  expect(two.progress[0]?.projection).toBe('a') // it is not put in order for all
})

test('a model is behind by the events of all partitions and the seconds of the worst', () => {
  const lag = [
    { partition: 'c0', events: 2, seconds: 3 },
    { partition: 'c1', events: 5, seconds: 1 },
  ]
  expect(behind({ projection: 'a', version: 1, tables: [], builds: [], lag } satisfies Model)).toEqual({ events: 7, seconds: 3 })
})
