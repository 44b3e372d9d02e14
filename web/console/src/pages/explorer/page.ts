import type { Page } from '../../shell/pages'

export const page: Page = {
  id: 'explorer',
  order: 40,
  group: 'look',
  title: { zh: '事件', en: 'Explorer' },
  icon: 'compass',
  key: 'e',
  roles: ['auditor'],
  load: () => import('./Explorer.svelte'),
}
