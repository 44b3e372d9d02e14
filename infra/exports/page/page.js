// Reads a package that somebody chooses, verifies it, and shows it.
'use strict'

const WORDS = {
  en: {
    title: 'Audit package',
    lead: 'Choose this package’s folder, or the .zip or .tar it came in (or drop it here). Everything is read and verified in this page; nothing is sent anywhere, whatever the browser calls choosing a folder.',
    folder: 'Folder', archive: 'Archive', key: 'Public key of the log, if you know it',
    hashing: 'Hashing files', verifying: 'Verifying records',
    good: (n, rows) => `It holds: ${n} events, ${rows} versions of messages, as they stand in the log.`,
    compare: (key) => `It is signed with the key ${key}. Compare it with the log’s key, got by a way you trust: only then is it proved whose log this is.`,
    known: 'It is signed with the key you gave.',
    bad: (code) => `It does not hold (${code}).`, unreadable: 'It can’t be read.', badKey: 'That is not a public key.',
    about: 'What this is', log: 'Log', asked: 'Asked by', reason: 'Reason', query: 'Query', until: 'Read up to', program: 'Made by', counts: 'Events', voids: 'Of these void',
    messages: 'Messages', find: 'Find', conversation: 'Conversation', all: 'All', back: 'Back', on: 'On', place: (a, b, n) => `${a}–${b} of ${n}`,
    columns: ['Said', 'By', 'Text', 'Position', 'Who could see it'],
    edit: 'edits', recall: 'recalls', edited: 'edited by', recalled: 'recalled by', imported: 'imported', void: 'void', many: 'see membership.csv',
    kept: (n) => `Only the first ${n} are shown here; messages.csv has all.`,
  },
  zh: {
    title: '审计包',
    lead: '选择本包的文件夹，或它的 .zip、.tar 文件（也可以拖到这里）。一切都在本页内读取和验证，不会发送到任何地方，无论浏览器怎样称呼“选择文件夹”。',
    folder: '文件夹', archive: '压缩文件', key: '日志的公钥（如果已知）',
    hashing: '计算文件散列', verifying: '验证记录',
    good: (n, rows) => `验证通过：${n} 个事件，${rows} 个消息版本，与日志一致。`,
    compare: (key) => `签名密钥是 ${key}。请与通过可信途径得到的日志公钥比较，这样才能证明这是谁的日志。`,
    known: '签名密钥就是所给的公钥。',
    bad: (code) => `验证不通过（${code}）。`, unreadable: '无法读取。', badKey: '这不是公钥。',
    about: '内容', log: '日志', asked: '请求人', reason: '理由', query: '查询', until: '读到', program: '生成程序', counts: '事件', voids: '其中无效',
    messages: '消息', find: '查找', conversation: '会话', all: '全部', back: '上一页', on: '下一页', place: (a, b, n) => `第 ${a}–${b} 条，共 ${n} 条`,
    columns: ['发送时间', '发送人', '内容', '位置', '谁能看到'],
    edit: '编辑', recall: '撤回', edited: '被编辑：', recalled: '被撤回：', imported: '导入', void: '无效', many: '见 membership.csv',
    kept: (n) => `此处只显示前 ${n} 条；全部在 messages.csv 中。`,
  },
}
const language = navigator.language.startsWith('zh') ? 'zh' : 'en'
const say = WORDS[language]
const $ = (id) => document.getElementById(id)
const make = (tag, content, className) => Object.assign(document.createElement(tag), { textContent: content, className: className ?? '' })

document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
document.title = say.title
for (const [id, word] of Object.entries({
  title: say.title, lead: say.lead, 'folder-label': say.folder, 'archive-label': say.archive, 'key-label': say.key, 'about-title': say.about,
  'messages-title': say.messages, 'find-label': say.find, 'conversation-label': say.conversation, back: say.back, on: say.on,
}))
  $(id).textContent = word
for (const column of say.columns) $('head').append(Object.assign(make('th', column), { scope: 'col' }))

const PAGE = 200
const KEEP = 200_000
let kept = []
let shown = []
let first = 0

function verdict(kind, title, ...more) {
  $('verdict').hidden = false
  $('verdict').className = kind
  $('verdict').replaceChildren(title, ...more.map((line) => make('p', line)))
}

let latest = 0

/** Verifies what was chosen; if something else is chosen meanwhile, only that counts. */
async function verifyChosen(read) {
  const turn = ++latest
  const rest = []
  $('about').hidden = $('reading').hidden = true
  const given = $('key').value.trim()
  const key = given ? fromBase64Url(given) : undefined
  if (given && key?.length !== 32) return verdict('bad', say.badKey)
  let last = 0
  const progress = (phase, share) => {
    if (turn !== latest) throw new Error('something else was chosen')
    if (performance.now() - last < 200) return
    last = performance.now()
    verdict('', `${say[phase]} … ${Math.floor(share * 100)} %`)
  }
  let rows = 0
  try {
    const m = await verifyPackage(await read(), { key, progress, row: (row) => ++rows <= KEEP && rest.push(row) })
    if (turn !== latest) return
    kept = rest
    const events = Object.values(m.events).reduce((a, b) => a + b, 0)
    verdict('good', say.good(events, rows), key ? say.known : say.compare(m.key))
    about(m)
    reading()
  } catch (error) {
    if (turn !== latest) return
    if (error instanceof Broken) verdict('bad', say.bad(error.code), error.message)
    else verdict('bad', say.unreadable, String(error.message ?? error))
  }
}

function about(m) {
  $('about').hidden = false
  const counts = Object.entries(m.events).map(([type, n]) => `${type} ${n}`)
  const facts = [
    [say.asked, m.askedBy], [say.reason, m.reason], [say.query, JSON.stringify(m.query)], [say.counts, counts.join(', ')], [say.voids, m.void],
    [say.log, m.log], [say.until, m.until], [say.program, m.program],
  ]
  $('facts').replaceChildren(...facts.flatMap(([name, value]) => [make('dt', name), make('dd', String(value))]))
}

function reading() {
  $('reading').hidden = false
  const names = [...new Set(kept.map((row) => row[3]))].sort()
  $('conversation').replaceChildren(new Option(say.all, ''), ...names.map((name) => new Option(name, name)))
  $('find').value = ''
  narrow()
}

function narrow() {
  const wanted = $('find').value.toLowerCase()
  const conversation = $('conversation').value
  shown = kept.filter((row) => (!conversation || row[3] === conversation) && (!wanted || `${row[9]}\n${row[4]}\n${row[5]}\n${row[0]}`.toLowerCase().includes(wanted)))
  first = 0
  show()
}

function show() {
  const page = shown.slice(first, first + PAGE)
  $('rows').replaceChildren(...page.map(line))
  $('place').textContent = say.place(page.length ? first + 1 : 0, first + page.length, shown.length) + (kept.length === KEEP ? ` ${say.kept(KEEP)}` : '')
  $('back').disabled = first === 0
  $('on').disabled = first + PAGE >= shown.length
}

function line(row) {
  const [position, message, version, conversation, by, name, said, , imported, content] = row
  const [valid, why, editedBy, editedAt, editedIn, recalledBy, recalledAt, recalledIn, audience, ids] = row.slice(13)
  const tr = document.createElement('tr')
  const time = make('td', new Date(said).toLocaleString(), 'nowrap')
  time.title = said
  const who = make('td', name && name !== by ? `${name} (${by})` : by)
  who.append(make('span', conversation, 'note'))
  const text = make('td', version === 'recall' ? '' : content, 'text')
  const note = (...words) => text.append(make('span', words.join(' '), 'note'))
  if (version !== 'original') note(say[version], message)
  if (imported === 'true') note(say.imported)
  if (valid !== 'true') note(`${say.void}: ${why}`)
  if (editedBy) note(say.edited, editedBy, editedAt, editedIn)
  if (recalledBy) note(say.recalled, recalledBy, recalledAt, recalledIn)
  const seen = make('td', ids.startsWith('[') ? JSON.parse(ids).join(', ') : `${audience}: ${say.many}`)
  tr.append(time, who, text, make('td', position, 'nowrap'), seen)
  return tr
}

/** The files of a folder by their names in it. */
function inFolder(list) {
  return new Map(list.map(([path, file]) => [path.slice(path.indexOf('/') + 1), file]))
}

const archived = (file) => (file.name.endsWith('.tar') ? readTar(file) : readZip(file))

async function walk(entry, into) {
  if (entry.isFile) into.push([entry.fullPath.slice(1), await new Promise((resolve, reject) => entry.file(resolve, reject))])
  else {
    const reader = entry.createReader()
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))
      if (some.length === 0) return into
      for (const inside of some) await walk(inside, into)
    }
  }
  return into
}

let again = () => {}
const choose = (read) => (again = () => verifyChosen(read))()
$('folder').addEventListener('change', ({ target }) => {
  const list = [...target.files].map((file) => [file.webkitRelativePath, file])
  if (list.length > 0) choose(async () => inFolder(list))
})
$('archive').addEventListener('change', ({ target }) => target.files[0] && choose(() => archived(target.files[0])))
$('key').addEventListener('input', () => again())
$('find').addEventListener('input', narrow)
$('conversation').addEventListener('change', narrow)
$('back').addEventListener('click', () => show((first -= PAGE)))
$('on').addEventListener('click', () => show((first += PAGE)))
addEventListener('dragover', (event) => {
  event.preventDefault()
  $('drop').classList.add('over')
})
addEventListener('dragleave', () => $('drop').classList.remove('over'))
addEventListener('drop', (event) => {
  event.preventDefault()
  $('drop').classList.remove('over')
  const entry = event.dataTransfer.items[0]?.webkitGetAsEntry?.()
  const file = event.dataTransfer.files[0]
  if (entry?.isDirectory) choose(async () => inFolder(await walk(entry, [])))
  else if (file) choose(() => archived(file))
})
