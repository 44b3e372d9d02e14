import type { Component } from 'svelte'
import type { IconName } from '../parts/Icon.svelte'
import type { Role } from './session.svelte'

/** A page says in pages/<folder>/page.ts what it is; its code is fetched when it is opened. */
export interface Page {
  id: string // in the address: #/id
  order: number // in the navigation
  group: 'watch' | 'look' | 'work' // its part of the navigation
  title: { zh: string; en: string }
  icon: IconName
  key: string // g and this key opens it
  roles: readonly Role[] // beside admins
  range?: boolean // it has a time range
  load: () => Promise<{ default: Component }>
}

const found = import.meta.glob<Page>('../pages/*/page.ts', { import: 'page', eager: true })

export const pages: readonly Page[] = Object.values(found).sort((a, b) => a.order - b.order)
