export interface Told {
  id: number
  text: string
  tone: 'plain' | 'bad'
}

const shownFor = 6_000

/** Short texts that appear for a moment and are read out. */
export class Notices {
  list = $state<Told[]>([])
  private next = 1

  tell(text: string, tone: Told['tone'] = 'plain'): void {
    const id = this.next++
    this.list = [...this.list.slice(-3), { id, text, tone }]
    setTimeout(() => this.dismiss(id), shownFor)
  }

  dismiss(id: number): void {
    this.list = this.list.filter((one) => one.id !== id)
  }
}
