// The frame: who comes in, how one goes from page to page, and that the address
// and the keyboard are enough.
import { accessible } from '../accessibility.mjs'
import { desktop } from '../stage.mjs'
import { equal, until } from '../steps.mjs'
import { Visitor } from './visitor.mjs'

export async function shell(stage) {
  const { server } = stage
  let ada

  await stage.step('a link signs in and leaves the address; a reload stays', async () => {
    ada = await Visitor.enter(stage, 'admin')
    equal(new URL(ada.page.url()).hash, '#/overview', 'the address')
    await ada.page.reload()
    await ada.page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
    await ada.page.getByText('Admin', { exact: true }).waitFor()
  })

  await stage.step('users of the chat are told that this is not for them, a wrong token that it is wrong', async () => {
    const page = await stage.open('user', desktop)
    await page.goto(server.console)
    const problems = stage.problems.length
    for (const [token, says] of [[await server.run('token', '--user', 'baoyu'), 'Not allowed'], ['a.b.c', 'The token is invalid or has expired']]) {
      await page.getByLabel('Token').fill(token)
      await page.keyboard.press('Enter')
      await page.getByRole('alert').getByText(says).waitFor()
    }
    await accessible(page, 'signing in')
    stage.problems.length = problems // the browser tells of 401 and 403
    await stage.close('user')
  })

  await stage.step('the keyboard is enough: skip link, g and a letter, ? for help, Escape', async () => {
    const { page } = ada
    await page.reload()
    await page.getByRole('heading', { level: 1 }).waitFor()
    await page.keyboard.press('Tab')
    equal(await page.evaluate(() => document.activeElement?.textContent), 'Skip to the content', 'the first stop')
    await page.keyboard.press('Enter')
    equal(await page.evaluate(() => document.activeElement?.id), 'main', 'where it skips to')
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
    await accessible(page, 'shortcuts')
    await page.keyboard.press('Escape')
    const pages = await page.getByRole('navigation').getByRole('listitem').getByRole('link').count()
    if (pages > 1) {
      await page.getByRole('navigation').getByRole('listitem').getByRole('link').nth(1).press('Enter')
      await until('another page opens', async () => new URL(page.url()).hash !== '#/overview')
      await page.keyboard.press('g')
      await page.keyboard.press('o')
      await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
      await page.goBack()
      await until('back undoes it', async () => !new URL(page.url()).hash.startsWith('#/overview'))
    }
    await ada.leave()
  })

  await stage.step('a token that ends while one looks asks to sign in again, on the same page', async () => {
    const page = await stage.open('brief', desktop)
    await page.goto(`${server.console}/#token=${await server.token('analyst', '--ttl', '3s')}`)
    await page.getByRole('heading', { level: 1 }).waitFor()
    const problems = stage.problems.length
    await page.getByRole('alert').getByText('The token is invalid or has expired').waitFor()
    await page.getByLabel('Token').fill(await server.token('analyst'))
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
    stage.problems.length = problems
    await stage.close('brief')
  })
}
