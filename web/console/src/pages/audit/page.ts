import type { Page } from '../../shell/pages'

export const page: Page = {
  id: 'audit',
  order: 60,
  group: 'look',
  title: { zh: '审计', en: 'Audit' },
  icon: 'seal',
  key: 'a',
  roles: ['auditor'],
  range: true,
  load: () => import('./Audit.svelte'),
}
