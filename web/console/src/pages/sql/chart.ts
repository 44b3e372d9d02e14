/** The moment of a Date or DateTime as ClickHouse writes it, which the views have in UTC. */
export function momentIn(text: string): number {
  const found = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d(?:\.\d{1,9})?)Z?)?$/.exec(text)
  return found ? Date.parse(`${found[1]}T${(found[2] ?? '00:00:00').slice(0, 12)}Z`) : NaN
}
