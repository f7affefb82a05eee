/**
 * The licences of what a bundle holds of others: each package once, with its version, its licence's name and the texts
 * that lie beside it (licence and notice).
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const TEXTS = /^(?:licen[cs]e|copying|notice|ofl)(?:[.-].*)?$/i;
const LINE = '-'.repeat(80);

/** Gives the text that has to go with a bundle of these modules, in the order of names; the same modules give the same text. */
export function thirdPartyLicenses(modules) {
  const packages = [...new Set(modules.map(packageOf).filter((found) => found !== undefined))].map(describe);
  const missing = packages.filter(({ license, texts }) => license === undefined && texts.length === 0);
  if (missing.length > 0) throw new Error(`no licence of ${missing.map(({ name }) => name).join(', ')} was found`);
  const sorted = [...new Map(packages.map((each) => [`${each.name} ${each.version}`, each])).values()].sort(byName);
  const first = new Map();
  const entries = sorted.map((each) => entry(each, first));
  return `The bundled engine of Ingot contains these packages, under the licences that follow their names.\n\n${entries.join('\n')}`;
}

/** The directory of the package that a module belongs to; undefined for the project's own. */
function packageOf(module) {
  const path = module.replace(/^\0/, '').replace(/\?.*$/, '').replaceAll('\\', '/');
  const at = path.lastIndexOf('/node_modules/');
  if (at < 0) return undefined;
  const [scope, name] = path.slice(at + '/node_modules/'.length).split('/');
  const directory = join(path.slice(0, at), 'node_modules', scope, scope.startsWith('@') ? name : '');
  return existsSync(join(directory, 'package.json')) ? directory : undefined;
}

function describe(directory) {
  const { name = basename(directory), version = '', license, licenses, author, homepage } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  const names = readdirSync(directory).filter((file) => TEXTS.test(file)).sort();
  const texts = names.map((file) => readFileSync(join(directory, file), 'utf8').trim());
  const stated = typeof license === 'string' ? license : (license?.type ?? licenses?.map(({ type }) => type).join(' OR '));
  return { name, version, license: stated, texts, author: typeof author === 'string' ? author : author?.name, homepage };
}

const byName = (a, b) => (a.name < b.name || (a.name === b.name && a.version < b.version) ? -1 : 1);

/** One package; a text that stands in the file already is not written again. */
function entry({ name, version, license = 'see below', texts, author, homepage }, first) {
  // A package without a text of its own names its licence alone: whose it is, is told with it.
  const whose = texts.length > 0 ? texts : [[author && `by ${author}`, homepage].filter(Boolean).join(', ')];
  const told = whose.map((text) => {
    const where = first.get(text);
    first.set(text, where ?? `${name} ${version}`);
    return where === undefined ? text : `The text is that of ${where}.`;
  });
  return `${LINE}\n${name} ${version}  ${license}\n${LINE}\n${told.join('\n\n')}\n`;
}

/** The modules of which something is in a bundle, as the bundler's output names them. */
export function modulesOf(output) {
  return output.flatMap((chunk) => (chunk.type === 'chunk' ? Object.keys(chunk.modules ?? {}) : []));
}

/** Where the texts lie in what is built. */
export const LICENSES_FILE = 'THIRD-PARTY-LICENSES';
