// uPlot, fetched by the first chart that is drawn.
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { exact } from '../shell/times'

interface Look {
  kind: 'line' | 'bars'
  height: number
  zone: string
  labels: string[]
  colours: string[]
  ink: string
  grid: string
  format: (value: number) => string
  /** Told which point the pointer is over; null: none. */
  over: (point: number | null) => void
}

export function draw(host: HTMLElement, look: Look): uPlot {
  const font = `12px ${getComputedStyle(host).fontFamily}`
  const bars = look.kind === 'bars' ? uPlot.paths.bars!({ size: [0.8, 40], radius: 0.15 }) : undefined
  const axis: uPlot.Axis = { stroke: look.ink, font, grid: { stroke: look.grid, width: 1 }, ticks: { show: false } }
  return new uPlot(
    {
      width: host.clientWidth || 300,
      height: look.height,
      padding: [8, 10, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), look.zone),
      scales: { x: { time: true }, y: { range: (_, min, max) => [Math.min(0, min ?? 0), max > 0 ? max * 1.08 : 1] } },
      axes: [
        { ...axis, values: times(look.zone), space: 70, size: 32 },
        { ...axis, size: 54, values: (_, splits) => splits.map((value) => look.format(value)) },
      ],
      hooks: { setCursor: [(plot) => look.over(plot.cursor.idx ?? null)] },
      series: [
        {},
        ...look.labels.map((label, i) => ({
          label, stroke: look.colours[i]!, width: look.kind === 'bars' ? 0 : 2, points: { show: bars === undefined, size: 5, fill: look.colours[i]!, filter: alone },
          fill: look.kind === 'bars' ? look.colours[i]! : alpha(look.colours[i]!, look.labels.length === 1 ? 0.12 : 0), ...(bars && { paths: bars }),
        })),
      ],
    },
    [[], ...look.labels.map(() => [])],
    host,
  )
}

// A point without neighbours would have no line to be on.
function alone(plot: uPlot, series: number): number[] {
  const values: (number | null | undefined)[] = [...plot.data[series]!]
  return values.flatMap((value, i) => (value != null && values[i - 1] == null && values[i + 1] == null ? [i] : []))
}

// What getComputedStyle gives is rgb(…).
function alpha(colour: string, share: number): string {
  return colour.replace(/^rgb\((.*)\)$/, `rgba($1, ${share})`)
}

// Months where months pass between ticks, dates where days do, else clocks: short,
// and the same in every language.
function times(zone: string): uPlot.Axis.DynamicValues {
  return (_, splits) => {
    const step = (splits[1] ?? 0) - (splits[0] ?? 0)
    return splits.map((at) => {
      const text = exact(at * 1000, zone)
      if (step >= 27 * 86_400) return text.slice(0, 7)
      const day = text.slice(5, 10)
      if (step >= 86_400) return day
      const clock = step < 60 ? text.slice(11) : text.slice(11, 16)
      return clock === '00:00' ? day : clock
    })
  }
}
