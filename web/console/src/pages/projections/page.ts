import type { Page } from '../../shell/pages'

export const page: Page = {
  id: 'projections',
  order: 20,
  group: 'watch',
  title: { zh: '读模型', en: 'Projections' },
  icon: 'layers',
  key: 'p',
  roles: ['auditor', 'analyst'],
  load: () => import('./Projections.svelte'),
}
