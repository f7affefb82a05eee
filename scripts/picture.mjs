/**
 * Makes the README's terminal picture from a real run of the demo: `node scripts/picture.mjs`.
 * Writes `docs/images/demo.svg`. `--from FILE` draws a captured output instead of running.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inRoot } from './lib/paths.mjs';
import { run } from './lib/run.mjs';

const CELL = { width: 8.2, height: 17, size: 13.6 };
const MARGIN = 18;
const BAR = 30;
const COLOURS = { plain: '#d7dae0', 31: '#ff7b72', 32: '#7ee787', 36: '#79c0ff', dim: '#8b929c' };

/** Splits a line with colour codes into runs of text of one look. */
export function runsOf(line) {
  const runs = [];
  let look = { colour: COLOURS.plain, bold: false };
  let column = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes begin with the escape character.
  for (const part of line.split(/(\u001b\[[0-9;]*m)/)) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
    const code = /^\u001b\[([0-9;]*)m$/.exec(part)?.[1];
    if (code !== undefined) look = lookAfter(look, code);
    else if (part !== '') {
      runs.push({ text: part, column, ...look });
      column += [...part].length;
    }
  }
  return runs;
}

function lookAfter(look, code) {
  if (code === '1') return { ...look, bold: true };
  if (code === '22') return { colour: look.colour === COLOURS.dim ? COLOURS.plain : look.colour, bold: false };
  if (code === '2') return { ...look, colour: COLOURS.dim };
  return { ...look, colour: COLOURS[code] ?? COLOURS.plain };
}

/** Draws terminal output as an SVG document. */
export function drawTerminal(output, title) {
  const lines = output.trimEnd().split('\n').map(runsOf);
  const columns = Math.max(60, ...lines.map((runs) => Math.max(0, ...runs.map(({ column, text }) => column + [...text].length))));
  const width = Math.ceil(columns * CELL.width + 2 * MARGIN);
  const height = Math.ceil(lines.length * CELL.height + 2 * MARGIN + BAR);
  const texts = lines.flatMap((runs, row) => runs.filter(({ text }) => text.trim() !== '').map((part) => drawRun(part, row)));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeXml(title)}">
<rect width="${width}" height="${height}" rx="8" fill="#16191f"/>
<circle cx="20" cy="17" r="5" fill="#ff5f57"/><circle cx="38" cy="17" r="5" fill="#febc2e"/><circle cx="56" cy="17" r="5" fill="#28c840"/>
<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="${CELL.size}" xml:space="preserve">
${texts.join('\n')}
</g>
</svg>
`;
}

function drawRun({ text, column, colour, bold }, row) {
  const x = (MARGIN + column * CELL.width).toFixed(1);
  const y = (BAR + MARGIN + row * CELL.height).toFixed(1);
  const length = ([...text].length * CELL.width).toFixed(1);
  return `<text x="${x}" y="${y}" textLength="${length}" fill="${colour}"${bold ? ' font-weight="700"' : ''}>${escapeXml(text)}</text>`;
}

/** The part of the demo's output that fits beside a page: from the server's start to the end of the work. */
function excerpt(output) {
  const lines = output.split('\n');
  const from = lines.findIndex((line) => /\d {2}Serve /.test(line));
  const to = lines.findIndex((line) => line.includes('Done'));
  return ['\u001b[2m…\u001b[22m', ...lines.slice(from, to + 1)].join('\n');
}

const escapeXml = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const file = process.argv[process.argv.indexOf('--from') + 1];
  const output = process.argv.includes('--from')
    ? readFileSync(file, 'utf8')
    : (await run(process.execPath, [inRoot('scripts/demo.mjs'), '--once'], { env: { ...process.env, FORCE_COLOR: '1' }, label: 'demo' })).stdout;
  const target = inRoot('docs/images/demo.svg');
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, drawTerminal(`\u001b[2m$\u001b[22m npm run demo\n${excerpt(output)}`, 'Output of npm run demo'));
}
