// Steps in their order. After one has failed the rest would only fail for its
// sake, so they are counted as failed without being tried.
export class Steps {
  passed = 0
  failed = 0
  #onFailure

  constructor(onFailure) {
    this.#onFailure = onFailure
  }

  async step(name, action) {
    if (this.failed > 0) {
      this.failed++
      console.log(`- ${name} (not tried)`)
      return
    }
    const begun = performance.now()
    try {
      await action()
      this.passed++
      console.log(`✓ ${name} (${((performance.now() - begun) / 1000).toFixed(1)} s)`)
    } catch (error) {
      this.failed++
      console.log(`✗ ${name}`)
      console.log(error instanceof Error ? (error.stack ?? error.message) : String(error))
      await this.#onFailure(name)
    }
  }
}

/** Waits until the condition holds; says what was seen last if it never does. */
export async function until(what, condition, within = 10_000) {
  const deadline = Date.now() + within
  let last
  for (;;) {
    try {
      last = await condition()
      if (last === true) return
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline) throw new Error(`${what} did not come true within ${within / 1000} s; last seen: ${last instanceof Error ? last.message : JSON.stringify(last)}`)
    await new Promise((resolve) => setTimeout(resolve, 30))
  }
}

export function equal(actual, expected, what) {
  const [a, e] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (a !== e) throw new Error(`${what}: expected ${e}, got ${a}`)
}
