// The algorithm of schemas/vectors/README.md, written from that page alone. Prints what differs; exits with 1 if anything does.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const dashed = (hex) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
const bytesOf = (uuid) => Buffer.from(uuid.replaceAll('-', ''), 'hex');

function readId(prefix, text) {
  const bare = text.toLowerCase().startsWith(prefix + '_') ? text.slice(prefix.length + 1) : text;
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(bare)) return bare.toLowerCase();
  if (bare === text || !/^[0-7][0-9A-HJKMNP-TV-Z]{25}$/i.test(bare)) return null;
  const number = [...bare.toUpperCase()].reduce((sum, digit) => sum * 32n + BigInt(DIGITS.indexOf(digit)), 0n);
  return dashed(number.toString(16).padStart(32, '0'));
}

function showId(prefix, uuid) {
  let number = BigInt('0x' + bytesOf(uuid).toString('hex'));
  let shown = '';
  for (let place = 0; place < 26; place++, number /= 32n) shown = DIGITS[Number(number % 32n)] + shown;
  return `${prefix}_${shown}`;
}

const sorted = (object) => Object.fromEntries(Object.keys(object).sort().map((name) => [name, object[name]]));

function canonical(request) {
  const { mode, variations, projectLayerId, sourcePlatformPostId: source } = request;
  const fields = { orgId: readId('org', request.orgId), containerId: readId('cnt', request.containerId) };
  fields.projectId = readId('proj', request.projectId);
  fields.sourcePlatformPostId = readId('pp', source) ?? source;
  if (projectLayerId != null) fields.projectLayerId = readId('lay', projectLayerId);
  if (mode != null && mode !== 'fork') fields.mode = mode;
  if (variations != null && variations !== 1) fields.variations = variations;
  const texts = Object.entries(request.overrides ?? {}).filter(([, text]) => text !== null);
  if (texts.length) fields.overrides = sorted(Object.fromEntries(texts));
  return JSON.stringify(sorted(fields));
}

function stamped(digest, version) {
  digest[6] = (digest[6] & 0x0f) | (version << 4);
  digest[8] = (digest[8] & 0x3f) | 0x80;
  return dashed(digest.subarray(0, 16).toString('hex'));
}
const jobId = (text) => stamped(createHash('sha256').update('clonepost/job/1\n' + text, 'utf8').digest(), 8);
const named = (space, name) => stamped(createHash('sha1').update(bytesOf(space)).update(name, 'utf8').digest(), 5);

let checked = 0, wrong = 0;
function same(what, mine, golden) {
  checked++;
  if (mine !== golden) { wrong++; console.log(`${what}: ${mine} is not ${golden}`); }
}
const vectors = JSON.parse(readFileSync(process.argv[2], 'utf8'));
for (const { prefix, text, uuid, shown } of vectors.ids) {
  same(text, readId(prefix, text), uuid);
  if (uuid) same(text, showId(prefix, uuid), shown);
}
for (const { what, request, canonical: golden, jobId: job, shown } of vectors.requests) {
  same(what, canonical(request), golden);
  same(what, jobId(golden), job);
  same(what, showId('job', job), shown);
}
for (const { what, texts, jobId: job, ...ids } of vectors.bodies)
  for (const text of texts) same(what, jobId(canonical({ ...ids, ...JSON.parse(text) })), job);
for (const { what, jobId: job, index, record, ...golden } of vectors.derived) {
  same(what, named(job, `variation/${index}`), golden.variationId);
  same(what, named(job, 'JobCompleted'), golden.completedEventId);
  same(what, named(record.topicId, `${record.partition}/${record.offset}/CloneRejected`), golden.rejectedEventId);
}
console.log(`${checked} checked, ${wrong} wrong`);
process.exit(wrong ? 1 : 0);
