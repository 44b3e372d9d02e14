import { Visitor } from '../visitor.mjs'

export async function story(stage) {
  await stage.step('the overview says which node answers', async () => {
    const ada = await Visitor.enter(stage, 'analyst', 'overview')
    await ada.open('overview')
    await ada.page.getByText('Answered by').waitFor()
    await ada.leave()
  })
}
