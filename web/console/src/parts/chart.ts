/** One line of a chart. */
export interface Series {
  label: string
  values: readonly (number | null)[]
}

/** The colours of series, as the theme has them now. */
export function colours(element: Element, count: number): string[] {
  const style = getComputedStyle(element)
  return Array.from({ length: count }, (_, i) => resolved(element, style.getPropertyValue(`--series-${(i % 6) + 1}`)))
}

/** A colour that canvases understand: light-dark() is none. */
export function resolved(element: Element, colour: string): string {
  const probe = document.createElement('span')
  probe.style.color = colour
  element.append(probe)
  const value = getComputedStyle(probe).color
  probe.remove()
  return value
}
