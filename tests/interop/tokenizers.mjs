// tokenizers.mjs - compares `modelhost tokenize FOLDER --jsonl` with npm's `tokenizers` (the Rust
// library), token by token, on lines that a seeded generator makes.
//
//   BUILD=build SHARED=../shared LINES=4000 SEED=1 ONLY=gpt2 node tests/interop/tokenizers.mjs
//
// QUICK=1 leaves out the lines with every character; FULL=1 compares them with the variants of BPE, too, which
// takes the oracle ten minutes.
//
// For every WordPiece and BPE tokenizer below $SHARED/tokenizers: from its tokenizer.json, from its
// vocab.txt (or vocab.json and merges.txt) alone, and from variants of its tokenizer.json that turn each
// setting: ids, types, tokens, spans, and the text that the ids decode to. The package is found as
// require() finds it (node_modules upwards of this file, NODE_PATH). TOKENIZE replaces the command by a
// program that takes the folder.
import {spawnSync} from 'node:child_process';
import {createRequire} from 'node:module';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const {Tokenizer} = createRequire(import.meta.url)('tokenizers');
const build = process.env.BUILD ?? 'build';
const shared = process.env.SHARED ?? '../shared';
const nLines = Number(process.env.LINES ?? 4000);
const quick = process.env.QUICK !== undefined;
const full = process.env.FULL !== undefined;
const only = process.env.ONLY ?? '';
const seed = Number(process.env.SEED ?? 1);

// ---------------------------------------------------------------- lines

function random(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const next = random(seed);
const below = n => Math.floor(next() * n);
const pick = list => list[below(list.length)];
const repeat = (n, make) => Array.from({length: n}, make).join('');
const between = (first, last) => String.fromCodePoint(first + below(last - first + 1));

function anyCharacter() {
  for (;;) {
    const c = below(0x110000);
    if (c !== 0 && (c < 0xd800 || c > 0xdfff)) return String.fromCodePoint(c);
  }
}

const someWords = ('the of unaffable tokenization Hello WORLD don\'t naïve café Zürich Ångström résumé ' +
  'İstanbul ǅungla ΑΒΓς Σίσυφος straße ﬁnal Ⅷ ½ ㎏ ＡＢＣ 東京 中文字符 のテキスト 한국어 문장 ' +
  'привет ДОМ שלום مرحبا नमस्ते สวัสดี 𝓗𝓮𝓵𝓵𝓸 👩‍👩‍👧 🇫🇷 e\u0301\u0323 a\u0323\u0301 o\u0308\u0304 ' +
  'can\'t we\'ve 3.14 1,000 user@example.org https://example.com/a?b=c#d C++ --- ... !!! ##ing ## #').split(' ');
const special = ['<|endoftext|>', '<|endoftext|> ', '<|endoftext|', '<|NEW|>', '<s>', '</s>', '<mask>',
  '[CLS]', '[SEP]', '[MASK]', '[PAD]', '[UNK]', '[mask]', '[ MASK ]', '[MASK', 'MASK]',
  '[NEW]', '[new]', '<Strip>', '<strip>', '<Word>', '<Left>', '<Right>', '[NEW]er', 'Ünïc'];
const spaces = [' ', ' ', ' ', '\t', '\n', '\r\n', '\u00a0', '\u2003', '\u3000', '\u2028', '\u200b', '\ufeff',
  '\u0085', '\u000b', '\u000c', '\u1680', '\u202f', ''];

const makers = [
  () => pick(someWords),
  () => pick(someWords),
  () => pick(someWords),
  () => pick(special),
  () => repeat(1 + below(8), () => between(0x61, 0x7a)),
  () => repeat(1 + below(6), () => between(0x20, 0x7e)),
  () => repeat(1 + below(4), () => between(0x01, 0x1f)),
  () => repeat(1 + below(4), () => between(0x7f, 0xff)),
  () => repeat(1 + below(6), () => between(0x100, 0x24f)),
  () => repeat(1 + below(6), () => between(0x370, 0x5ff)),
  () => between(0x61, 0x7a) + repeat(1 + below(5), () => between(0x300, 0x36f)),
  () => repeat(1 + below(6), () => between(0x590, 0x8ff)),
  () => repeat(1 + below(6), () => between(0x900, 0x109f)),
  () => repeat(1 + below(6), () => between(0x1ab0, 0x1fff)),
  () => repeat(1 + below(6), () => between(0x2000, 0x2bff)),
  () => repeat(1 + below(6), () => between(0x2e00, 0x33ff)),
  () => repeat(1 + below(6), () => between(0x3400, 0x9fff)),
  () => repeat(1 + below(6), () => between(0xa000, 0xabff)),
  () => repeat(1 + below(4), () => between(0xac00, 0xd7ff)),
  () => repeat(1 + below(4), () => between(0xe000, 0xffff)),
  () => repeat(1 + below(4), () => between(0x10000, 0x12fff)),
  () => repeat(1 + below(4), () => between(0x16000, 0x1ffff)),
  () => repeat(1 + below(4), () => between(0x20000, 0x323af)),
  () => repeat(1 + below(3), () => between(0xe0000, 0x10ffff)),
  () => repeat(1 + below(5), anyCharacter),
  () => repeat(95 + below(12), () => between(0x61, 0x7a)),
  () => repeat(95 + below(12), () => pick(['a', 'é', 'e\u0301', '字', '𝓗', 'ß'])),
];

function randomText() {
  return repeat(below(12), () => pick(makers)() + (below(3) > 0 ? pick(spaces) : ''));
}

// Every character that can be written, in company: 64 to a line.
function everyCharacter(end = 0x110000) {
  const lines = [];
  let line = '';
  for (let c = 1; c < end; c++) {
    if (c >= 0xd800 && c <= 0xdfff) continue;
    const s = String.fromCodePoint(c);
    line += `a${s}b ${s} x\u0316${s}\u0301 `;
    if (c % 64 === 63) {
      lines.push({text: line});
      line = '';
    }
  }
  return lines;
}

function randomLines(n) {
  return Array.from({length: n}, () =>
    below(5) === 0 ? {text: randomText(), pair: randomText()} : {text: randomText()});
}

// ---------------------------------------------------------------- both sides

function ours(folder, lines) {
  const input = lines.map(l => JSON.stringify(l.pair === undefined ? l.text : {text: l.text, pair: l.pair})).join('\n') + '\n';
  const [command, args] = process.env.TOKENIZE
    ? [process.env.TOKENIZE, [folder]]
    : [path.join(build, 'bin', 'modelhost'), ['tokenize', folder, '--jsonl', '--details']];
  const run = spawnSync(command, args, {input, maxBuffer: 1 << 30});
  if (run.status > 1) throw new Error(`${command} ${args.join(' ')}: ${run.stderr}`);
  if (run.stdout.length === 0) throw new Error(`${command} ${args.join(' ')}: ${run.stderr}`);
  return run.stdout.toString().trimEnd().split('\n').map(l => JSON.parse(l));
}

async function reference(tokenizer, lines) {
  const out = [];
  for (const {text, pair} of lines) {
    try {
      const e = await tokenizer.encode(text, pair ?? null);
      out.push({ids: e.getIds(), type_ids: e.getTypeIds(), tokens: e.getTokens(),
                offsets: e.getOffsets(), sequences: e.getSequenceIds(),
                decoded: await tokenizer.decode(e.getIds(), true)});
    } catch (error) {
      out.push({error: String(error)});
    }
  }
  return out;
}

// Characters to bytes.
function byteOffsets(text) {
  const bytes = [0];
  for (const c of text) bytes.push(bytes[bytes.length - 1] + Buffer.byteLength(c));
  return bytes;
}

function spansOf(line, encoding) {
  const maps = [byteOffsets(line.text), byteOffsets(line.pair ?? '')];
  return encoding.offsets.map(([a, b], i) => {
    const map = maps[encoding.sequences[i] ?? 0];
    return [map[a], map[b]];
  });
}

// Where canonical ordering moves characters, or composition takes one from behind another (which cleaning may have brought together), the reference gives the spans of the places and ours
// those of the characters: not compared.
function isReordered(line) {
  const text = (line.text + ' ' + (line.pair ?? '')).replace(/[\p{Cc}\p{Cf}\p{Co}\ufffd]/gu, '');
  if (/\p{M}\p{M}/u.test(text.normalize('NFKD'))) return true;
  return ['NFD', 'NFKD'].some(form => [...text].map(c => c.normalize(form)).join('') !== text.normalize(form));
}

let passed = 0;
let failed = 0;

function differs(name, line, mine, theirs, tokensToo) {
  if (theirs.error !== undefined) return mine.error === undefined ? 'error' : null;
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  if (!same(mine.ids, theirs.ids)) return 'ids';
  if (!same(mine.type_ids, theirs.type_ids)) return 'type_ids';
  if (tokensToo && !same(mine.tokens, theirs.tokens)) return 'tokens';
  if (mine.spans !== undefined && !same(mine.spans, spansOf(line, theirs)) && !isReordered(line)) return 'spans';
  // A zero byte is printed as U+FFFD. An added token that the normalizer changes is decoded in changed form by the reference.
  const decodes = tokensToo || !/added tokens/.test(name);
  if (decodes && mine.decoded !== undefined && mine.decoded !== theirs.decoded.replaceAll('\0', '\ufffd')) return 'decoded';
  return null;
}

// In batches, which bound what is in memory.
async function compare(name, folder, json, allLines, tokensToo = true) {
  const tokenizer = Tokenizer.fromString(JSON.stringify(json));
  let bad = 0;
  for (let first = 0; first < allLines.length; first += 1000)
    bad += await compareSome(name, folder, tokenizer, allLines.slice(first, first + 1000), tokensToo, bad);
  console.log(`${name}: ${allLines.length - bad} of ${allLines.length} lines agree`);
}

async function compareSome(name, folder, tokenizer, lines, tokensToo, badBefore) {
  const mine = ours(folder, lines);
  const theirs = await reference(tokenizer, lines);
  let bad = 0;
  lines.forEach((line, i) => {
    const what = mine[i] === undefined ? 'a missing line' : differs(name, line, mine[i], theirs[i], tokensToo);
    if (what === null) {
      passed++;
      return;
    }
    failed++;
    if (badBefore + bad++ < 3)
      console.log(`${name}: ${what} differ ${what === 'decoded' ? JSON.stringify([mine[i].decoded, theirs[i].decoded]) : ''} for ${JSON.stringify(line).slice(0, 400)}\n  ours   ` +
        `${JSON.stringify(mine[i])?.slice(0, 400)}\n  theirs ${JSON.stringify(theirs[i]).slice(0, 400)}`);
  });
  return bad;
}

// ---------------------------------------------------------------- tokenizers

const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'tokenizers-'));

function folderWith(name, files) {
  const folder = path.join(temporary, name);
  fs.mkdirSync(folder, {recursive: true});
  for (const [file, content] of Object.entries(files)) fs.writeFileSync(path.join(folder, file), content);
  return folder;
}

const added = (id, content, settings = {}) => ({id, content, single_word: false, lstrip: false, rstrip: false,
  normalized: true, special: false, ...settings});

// Each: name, change of the file, whether token texts compare (the reference keeps stripped spaces).
function variants() {
  // What the model has keeps its id, what it has not gets the next one.
  const add = (j, ...tokens) => {
    let next = Object.keys(j.model.vocab).length;
    for (const [content, settings] of tokens)
      j.added_tokens.push(added(j.model.vocab[content] ?? next++, content, settings));
  };
  return [
    ['accents kept', j => { j.normalizer.strip_accents = false; }, true],
    ['accents stripped', j => { j.normalizer.strip_accents = true; }, true],
    ['other case', j => { j.normalizer.lowercase = !j.normalizer.lowercase; }, true],
    ['nothing cleaned', j => { j.normalizer.clean_text = false; }, true],
    ['Han together', j => { j.normalizer.handle_chinese_chars = false; }, true],
    ['no normalizer', j => { j.normalizer = null; }, true],
    ['no post-processor', j => { j.post_processor = null; }, true],
    ['BertProcessing', j => { j.post_processor = {type: 'BertProcessing', sep: ['[SEP]', 102], cls: ['[CLS]', 101]}; }, true],
    ['short words', j => { j.model.max_input_chars_per_word = 5; }, true],
    ['truncated', j => { j.truncation = {direction: 'Right', max_length: 8, strategy: 'LongestFirst', stride: 0}; }, true],
    ['truncated left', j => { j.truncation = {direction: 'Left', max_length: 12, strategy: 'LongestFirst', stride: 1}; }, true],
    ['first truncated', j => { j.truncation = {direction: 'Right', max_length: 30, strategy: 'OnlyFirst', stride: 0}; }, true],
    ['second truncated', j => { j.truncation = {direction: 'Right', max_length: 40, strategy: 'OnlySecond', stride: 0}; }, true],
    ['padded', j => { j.padding = {strategy: {Fixed: 20}, direction: 'Right', pad_to_multiple_of: 8, pad_id: 0, pad_type_id: 0, pad_token: '[PAD]'}; }, true],
    ['padded left', j => { j.padding = {strategy: 'BatchLongest', direction: 'Left', pad_to_multiple_of: 16, pad_id: 0, pad_type_id: 3, pad_token: '[PAD]'}; }, true],
    ['added tokens', j => add(j, ['[NEW]'], ['<Strip>', {lstrip: true, rstrip: true}], ['<Word>', {single_word: true}],
      ['<Left>', {lstrip: true, normalized: false}], ['<Right>', {rstrip: true, normalized: false, special: true}],
      ['Ünïc'], ['東'], ['e\u0301', {normalized: false}], ['wo', {single_word: true}], ['[NEW]er', {normalized: false}]), false],
    ['short added tokens', j => add(j, ['the', {single_word: true, lstrip: true, normalized: false}], ['a'],
      ['ab', {single_word: true}], ['abc'], ['A b'], ['!!'], ['of', {rstrip: true}]), false],
  ];
}

// The same for byte-level BPE: what other families of models have in their files.
const byteLevel = (settings = {}) => ({type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true, ...settings});
const splitOn = (pattern, behavior = 'Isolated', invert = false) => ({type: 'Split', pattern, behavior, invert});
const sequence = (...pretokenizers) => ({type: 'Sequence', pretokenizers});
const words = Object.freeze({
  gpt4: "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  qwen: "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  o200k: "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  deepseek: "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  bloom: ' ?[^(\\s|[.,!?…。，、।۔،])]+',
  possessive: "[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s",
  everything: '\\h{3,}+|\\w+|\\b.|\\d|\\W_|[^\\w\\S\\n]+|\\h\\H|\\p{^Lu}\\p{Greek}',
});
function bpeVariants() {
  const split = (name, pattern, ...rest) => [name, j => {
    j.pre_tokenizer = sequence(splitOn({Regex: pattern}, ...rest), byteLevel({use_regex: false}));
  }, true];
  const add = (j, ...tokens) => {
    let next = Object.keys(j.model.vocab).length;
    for (const [content, settings] of tokens)
      j.added_tokens.push(added(j.model.vocab[content] ?? next++, content, settings));
  };
  const normalized = (name, ...normalizers) => [`${name} normalizer`, j => {
    j.added_tokens[0].normalized = false; // else the reference decodes its normalised form
    j.normalizer = normalizers.length === 1 ? normalizers[0] : {type: 'Sequence', normalizers};
  }, false];
  // What is left shows, for every character, whether it matched.
  const taken = ['\\p{L}', '\\p{N}', '\\s', '\\w', '\\p{M}', '[\\p{P}\\p{S}]', '\\p{Lu}', '\\p{Han}', '[\\d\\h_-]']
    .map(p => split(`words of ${p} removed`, p, 'Removed'));
  const behaviours = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'];
  return [
    ...Object.entries(words).map(([name, pattern]) => split(`the words of ${name}`, pattern)),
    ...taken,
    ...behaviours.flatMap(b => [split(`${b}`, '[aeiou]|\\s+', b), split(`${b}, inverted`, '[aeiou]|\\s+', b, true),
      split(`${b}, perhaps empty`, 'x*', b)]),
    ['a literal', j => { j.pre_tokenizer = sequence(splitOn({String: 'e'}, 'MergedWithNext'), byteLevel()); }, true],
    ['ByteLevel alone', j => { j.pre_tokenizer = byteLevel({use_regex: false}); }, true],
    ['a prefix space', j => { j.pre_tokenizer = byteLevel({add_prefix_space: true}); }, true],
    ['a prefix space, trimmed', j => { j.pre_tokenizer = byteLevel({add_prefix_space: true});
      j.post_processor = byteLevel({add_prefix_space: true}); }, true],
    ['trimmed', j => { j.post_processor = byteLevel(); }, true],
    ['digits one by one', j => { j.pre_tokenizer = sequence({type: 'Digits', individual_digits: true}, byteLevel()); }, true],
    ['falcon', j => { j.pre_tokenizer = sequence({type: 'Punctuation', behavior: 'Contiguous'}, byteLevel(),
      {type: 'Digits', individual_digits: false}, splitOn({Regex: '[0-9][0-9][0-9]'})); }, true],
    ['deepseek', j => { j.pre_tokenizer = sequence(splitOn({Regex: '\\p{N}{1,3}'}), splitOn({Regex: '[一-龥぀-ゟ゠-ヿ]+'}),
      splitOn({Regex: words.deepseek}), byteLevel({use_regex: false})); }, true],
    ['Whitespace', j => { j.pre_tokenizer = sequence({type: 'Whitespace'}, byteLevel({use_regex: false})); }, true],
    ['WhitespaceSplit', j => { j.pre_tokenizer = sequence({type: 'WhitespaceSplit'}, {type: 'Punctuation'}, byteLevel({use_regex: false, add_prefix_space: true})); }, true],
    ['no pre-tokenizer', j => { j.pre_tokenizer = null; }, true],
    ['unknown characters', j => { j.pre_tokenizer = null; j.model.unk_token = '<|endoftext|>'; }, true],
    ['unknown characters fused', j => { j.pre_tokenizer = null; j.model.unk_token = '<|endoftext|>'; j.model.fuse_unk = true; }, true],
    ['merges ignored', j => { j.model.ignore_merges = true; j.model.merges = j.model.merges.slice(0, 2000); }, true],
    ['merges as pairs', j => { j.model.merges = j.model.merges.map(m => m.split(' ')); }, true],
    ['affixes', j => { j.pre_tokenizer = {type: 'Whitespace'}; j.model.unk_token = '<|endoftext|>';
      j.model.end_of_word_suffix = 's'; }, true],
    ['byte fallback', j => {
      const next = Object.keys(j.model.vocab).length;
      for (let b = 0; b < 256; b++) j.model.vocab[`<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`] = next + b;
      j.model.vocab['▁'] = next + 256;
      j.added_tokens[0].normalized = false;
      Object.assign(j, {pre_tokenizer: null,
        normalizer: {type: 'Sequence', normalizers: [{type: 'Prepend', prepend: '▁'}, {type: 'Replace', pattern: {String: ' '}, content: '▁'}]},
        decoder: {type: 'Sequence', decoders: [{type: 'Replace', pattern: {String: '▁'}, content: ' '}, {type: 'ByteFallback'}, {type: 'Fuse'},
          {type: 'Strip', content: ' ', start: 1, stop: 0}]}});
      j.model.byte_fallback = true;
    }, false],
    ['stripped at the end', j => { j.decoder = {type: 'Sequence', decoders: [byteLevel(), {type: 'Strip', content: 'e', start: 2, stop: 0}]}; }, true],
    ['each token stripped', j => { j.decoder = {type: 'Strip', content: 'Ġ', start: 1, stop: 0}; }, true],
    ['no decoder', j => { j.decoder = null; }, true],
    ['roberta', j => {
      add(j, ['<s>', {special: true}], ['</s>', {special: true}], ['<mask>', {special: true, lstrip: true}]);
      const next = Object.keys(j.model.vocab).length;
      j.post_processor = {type: 'RobertaProcessing', cls: ['<s>', next], sep: ['</s>', next + 1], trim_offsets: true, add_prefix_space: false};
    }, false],
    ['llama', j => {
      const next = Object.keys(j.model.vocab).length;
      add(j, ['<s>', {special: true, normalized: false}]);
      j.pre_tokenizer = sequence(splitOn({Regex: words.gpt4}), byteLevel({use_regex: false}));
      j.model.ignore_merges = true;
      j.post_processor = {type: 'Sequence', processors: [byteLevel({trim_offsets: false}), {type: 'TemplateProcessing',
        single: [{SpecialToken: {id: '<s>', type_id: 0}}, {Sequence: {id: 'A', type_id: 0}}],
        pair: [{SpecialToken: {id: '<s>', type_id: 0}}, {Sequence: {id: 'A', type_id: 0}}, {SpecialToken: {id: '<s>', type_id: 1}}, {Sequence: {id: 'B', type_id: 1}}],
        special_tokens: {'<s>': {id: '<s>', ids: [next], tokens: ['<s>']}}}]};
    }, true],
    ['truncated, trimmed', j => { j.truncation = {direction: 'Right', max_length: 8, strategy: 'LongestFirst', stride: 0};
      j.post_processor = byteLevel(); }, true],
    ['added tokens', j => add(j, ['<|NEW|>'], ['<Strip>', {lstrip: true, rstrip: true}], ['<Word>', {single_word: true}],
      ['<Left>', {lstrip: true, normalized: false}], ['<Right>', {rstrip: true, normalized: false, special: true}],
      ['Ünïc'], ['東'], ['e\u0301', {normalized: false}], ['the', {single_word: true}]), false],
    ...['NFC', 'NFD', 'NFKC', 'NFKD'].map(type => normalized(type, {type})),
    normalized('Lowercase', {type: 'Lowercase'}),
    normalized('Strip', {type: 'Strip', strip_left: true, strip_right: true}),
    normalized('Left Strip', {type: 'Strip', strip_left: true, strip_right: false}),
    normalized('Replace', {type: 'Replace', pattern: {Regex: '\\s+'}, content: '--'}),
    normalized('Replace a literal', {type: 'Replace', pattern: {String: 'e'}, content: ''}),
    normalized('Prepend', {type: 'Prepend', prepend: '«é '}),
    normalized('Sequence', {type: 'NFD'}, {type: 'Replace', pattern: {Regex: '\\p{Mn}'}, content: ''}, {type: 'Lowercase'},
      {type: 'Prepend', prepend: '> '}, {type: 'NFC'}),
  ];
}

const root = path.join(shared, 'tokenizers');
if (!fs.existsSync(root)) {
  console.log(`skipped: ${root} is not there`);
  process.exit(0);
}
for (const name of fs.readdirSync(root).sort()) {
  const folder = path.join(root, name);
  const file = path.join(folder, 'tokenizer.json');
  if (!fs.existsSync(file)) continue;
  const text = fs.readFileSync(file, 'utf8');
  const json = JSON.parse(text);
  if (json.model.type !== 'WordPiece' && json.model.type !== 'BPE') continue;
  if (only !== '' && !name.includes(only)) continue;
  // Where each character is three tokens, the planes without any are left out.
  const every = everyCharacter(json.model.type === 'BPE' ? 0x20000 : 0x110000);
  await compare(name, folder, json, randomLines(nLines));
  if (!quick) await compare(`${name}, every character`, folder, json, every);
  if (fs.existsSync(path.join(folder, 'vocab.txt'))) {
    const files = {'vocab.txt': fs.readFileSync(path.join(folder, 'vocab.txt'))};
    const config = path.join(folder, 'tokenizer_config.json');
    if (fs.existsSync(config)) files['tokenizer_config.json'] = fs.readFileSync(config);
    await compare(`${name}, vocab.txt`, folderWith(`${name}-vocab`, files), json, randomLines(nLines / 4));
  }
  if (fs.existsSync(path.join(folder, 'merges.txt'))) {
    const files = {};
    for (const f of ['vocab.json', 'merges.txt', 'tokenizer_config.json'])
      if (fs.existsSync(path.join(folder, f))) files[f] = fs.readFileSync(path.join(folder, f));
    await compare(`${name}, vocab.json and merges.txt`, folderWith(`${name}-merges`, files), json, randomLines(nLines));
  }
  for (const [what, change, tokensToo] of json.model.type === 'BPE' ? bpeVariants() : variants()) {
    const changed = JSON.parse(text);
    change(changed);
    const place = folderWith(`${name}-${what}`, {'tokenizer.json': JSON.stringify(changed)});
    await compare(`${name}, ${what}`, place, changed, randomLines(nLines / 4), tokensToo);
    if ((json.model.type === 'BPE' ? full : !quick) && /accents|words of|NF|Lower|digits|Whitespace$|^trimmed/.test(what))
      await compare(`${name}, ${what}, every character`, place, changed, every, tokensToo);
  }
}
fs.rmSync(temporary, {recursive: true});
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
