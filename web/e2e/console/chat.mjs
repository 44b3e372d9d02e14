// What people say meanwhile, over the chat's own urls.

/** One request of a demo person, by HTTP; gives its result. */
export async function ask(server, person, url, params) {
  const people = await (await fetch(`${server.origin}/demo/people`)).json()
  const { token } = people.find(({ userId }) => userId === person)
  const answer = await fetch(`${server.origin}${url}`, {
    method: 'POST', headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ uniqueNo: crypto.randomUUID(), ...params }),
  })
  const result = await answer.json()
  if (!answer.ok) throw new Error(`${url}: ${JSON.stringify(result)}`)
  return result
}

export function say(server, from, to, text) {
  return ask(server, from, '/chat/sendMessage', { receiveUserId: to, messageContent: text })
}
