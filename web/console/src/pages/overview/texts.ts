import { texts } from '../../i18n.svelte'

export const say = texts(
  {
    answeredBy: '由 {node} 回答',
  },
  {
    answeredBy: 'Answered by {node}',
  },
)
