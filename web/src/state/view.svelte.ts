import { getContext, setContext } from 'svelte'
import { parseKey, type ConversationKey } from '../protocol/conversation'

export type Pane = 'chats' | 'contacts' | 'requests'

/** What a dialog over the page is for. */
export type DialogName = 'settings' | 'addFriend' | 'makeGroup' | 'joinGroup' | 'invite' | 'editGroup' | 'folders'

const addressOf = (key: ConversationKey): string => `#/${key.charAt(0)}/${encodeURIComponent(key.slice(2))}`

/**
 * Where somebody is on the page. The open conversation stands in the address,
 * so the back button leaves it (on a phone: to the list) and a reload keeps it.
 */
export class View {
  open = $state<ConversationKey | undefined>()
  pane = $state<Pane>('chats')
  details = $state(false)
  dialog = $state<DialogName | undefined>()

  constructor() {
    this.readAddress()
    this.details = window.innerWidth >= 1200
  }

  readonly readAddress = (): void => {
    const match = /^#\/([pg])\/(.+)$/.exec(location.hash)
    this.open = match ? parseKey(`${match[1]}:${decodeURIComponent(match[2]!)}`) : undefined
    if (!this.open && window.innerWidth < 1200) this.details = false
  }

  show(key: ConversationKey): void {
    const address = addressOf(key)
    if (location.hash !== address) {
      if (this.open === undefined) history.pushState({ fromList: true }, '', address)
      else history.replaceState(history.state, '', address)
    }
    this.open = key
    if (window.innerWidth < 1200) this.details = false
  }

  /** Leaves the conversation, to the list. */
  leave(): void {
    if ((history.state as { fromList?: boolean } | null)?.fromList) history.back()
    else history.replaceState(null, '', location.pathname + location.search)
    this.open = undefined
    this.details = this.details && window.innerWidth >= 1200
  }
}

const contextKey = Symbol('view')
export const provideView = (view: View): View => setContext(contextKey, view)
export const useView = (): View => getContext<View>(contextKey)
