// What opens over the page; a file of its own in the build.
export { default as AddFriendDialog } from './AddFriendDialog.svelte'
export { default as EditGroupDialog } from './EditGroupDialog.svelte'
export { default as FoldersDialog } from './FoldersDialog.svelte'
export { default as InviteDialog } from './InviteDialog.svelte'
export { default as JoinGroupDialog } from './JoinGroupDialog.svelte'
export { default as MakeGroupDialog } from './MakeGroupDialog.svelte'
export { default as SettingsDialog } from './SettingsDialog.svelte'
