import type { Page } from '../../shell/pages'

export const page: Page = {
  id: 'sql',
  order: 70,
  group: 'work',
  title: { zh: 'SQL', en: 'SQL' },
  icon: 'terminal',
  key: 's',
  roles: ['auditor', 'analyst'],
  load: () => import('./Sql.svelte'),
}
