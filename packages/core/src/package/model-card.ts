import type { Capture } from '../capture.ts';
import type { JsonValue } from '../json.ts';
import type { Feature, Signature } from '../signature.ts';

/** What a model card is written from; whatever is missing is left out. */
export interface CardFacts {
  /** Name of the model. */
  readonly name: string;
  readonly flavor: string;
  readonly description?: string | undefined;
  readonly author?: string | undefined;
  readonly signature?: Signature | undefined;
  readonly metrics?: Readonly<Record<string, number>> | undefined;
  readonly params?: Readonly<Record<string, JsonValue>> | undefined;
  readonly executesCode: boolean;
  readonly captured?: Capture | undefined;
}

/** Of more features or parameters than this only the first are written. */
const MAX_ROWS = 100;
const LIBRARIES: Readonly<Record<string, string>> = {
  torch: 'pytorch',
  'sentence-transformers': 'sentence-transformers',
};
const NOT_LIBRARIES: ReadonlySet<string> = new Set(['python', 'function', 'file', 'object', 'models']);

/**
 * Writes a model card: Markdown with the front matter that readers of Hugging Face cards know, to be edited. It tells
 * what is known and asks for what is not; it holds no row of any data but the example.
 * @example
 * writeModelCard({ name: 'churn', flavor: 'sklearn', executesCode: true }); // '---\nlibrary_name: …'
 */
export function writeModelCard(facts: CardFacts): string {
  const sections = [
    `${frontMatter(facts)}\n# ${inline(facts.name)}\n`,
    facts.description === undefined ? ask('Say in one sentence what this model predicts.') : `${facts.description}\n`,
    `## Intended use\n\n${ask('Say who should use it for what, and what it must not be used for.')}`,
    useSection(facts),
    signatureSection(facts.signature),
    metricSection(facts.metrics),
    dataSection(facts.captured),
    makingSection(facts),
    `## Limits\n\n${ask('Say where it is known to be wrong, and for whom.')}`,
  ];
  return sections.filter((section) => section !== '').join('\n');
}

/** Says whether a file of a package is its model card. */
export function isModelCard(path: string): boolean {
  return /^(?:readme|model_?card)\.md$/i.test(path);
}

function ask(text: string): string {
  return `_${text}_\n`;
}

function frontMatter(facts: CardFacts): string {
  const { name, flavor, metrics = {} } = facts;
  const task = taskOf(facts);
  const lines = ['---'];
  if (!NOT_LIBRARIES.has(flavor)) lines.push(`library_name: ${quote(LIBRARIES[flavor] ?? flavor)}`);
  if (task !== undefined) lines.push(`pipeline_tag: ${task}`);
  lines.push('tags:', '- ingot', ...(NOT_LIBRARIES.has(flavor) ? [] : [`- ${quote(flavor)}`]));
  const names = Object.keys(metrics).sort();
  if (names.length > 0) lines.push('metrics:', ...names.map((metric) => `- ${quote(metric)}`));
  if (names.length > 0 && task !== undefined) lines.push(...modelIndex(name, task, metrics, facts.captured));
  return `${[...lines, '---'].join('\n')}\n`;
}

function modelIndex(
  name: string,
  task: string,
  metrics: Readonly<Record<string, number>>,
  captured: Capture | undefined,
): string[] {
  const data = captured?.lineage?.data?.[0]?.name ?? 'evaluation data';
  return [
    'model-index:',
    `- name: ${quote(name)}`,
    '  results:',
    '  - task:',
    `      type: ${task}`,
    '    dataset:',
    '      type: tabular',
    `      name: ${quote(data)}`,
    '    metrics:',
    ...Object.keys(metrics)
      .sort()
      .flatMap((metric) => [`    - type: ${quote(metric)}`, `      value: ${metrics[metric]}`]),
  ];
}

/** The task, where the model's class or what it answers tells it; only tables are recognised. */
function taskOf({ signature, captured }: CardFacts): string | undefined {
  if (signature === undefined || signature.inputs.some(({ type }) => type === 'tensor')) return undefined;
  const name = captured?.model?.class ?? '';
  if (/Classifier|SVC$|LogisticRegression|NB$/.test(name)) return 'tabular-classification';
  if (/Regressor|SVR$|LinearRegression|Ridge|Lasso|ElasticNet/.test(name)) return 'tabular-regression';
  const [output] = signature.outputs;
  if (output?.classes !== undefined || output?.type === 'categorical') return 'tabular-classification';
  return output?.type === 'float' ? 'tabular-regression' : undefined;
}

function useSection({ name, captured, executesCode }: CardFacts): string {
  const rows = captured?.example?.inputs.slice(0, 1) ?? [];
  const predict = rows.length === 0 ? 'model.predict(rows)' : `model.predict(${pythonOf([...rows])})`;
  const trust = executesCode
    ? '\nLoading it executes code of the package: load it only if you trust who made it.\n'
    : '';
  return `## Use\n\n\`\`\`python\nimport ingot\n\nmodel = ingot.load("${name}")\n${predict}\n\`\`\`\n\n\`\`\`sh\ningot serve ${name}\n\`\`\`\n${trust}`;
}

/** A JSON value as Python spells it. */
function pythonOf(value: JsonValue): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(pythonOf).join(', ')}]`;
  return `{${Object.entries(value)
    .map(([key, entry]) => `${JSON.stringify(key)}: ${pythonOf(entry)}`)
    .join(', ')}}`;
}

function signatureSection(signature: Signature | undefined): string {
  if (signature === undefined) return '';
  const rows = [
    ...signature.inputs.map((feature) => featureRow('in', feature)),
    ...signature.outputs.map((feature) => featureRow('out', feature)),
  ];
  return rows.length === 0 ? '' : `## Input and output\n\n${table(['', 'name', 'type', 'values', 'about'], rows)}`;
}

function featureRow(side: string, feature: Feature): string[] {
  const { name, type, dtype, shape, min, max, description = '' } = feature;
  const named = feature.categories ?? feature.classes;
  const range = min === undefined && max === undefined ? '' : `${min ?? '…'} to ${max ?? '…'}`;
  const kind = dtype === undefined ? type : `${type} ${dtype} [${(shape ?? []).join(', ')}]`;
  const optional = feature.nullable === true ? `${kind}, may be missing` : kind;
  return [side, name, optional, named === undefined ? range : named.slice(0, 20).join(', '), description];
}

function metricSection(metrics: Readonly<Record<string, number>> | undefined): string {
  const rows = Object.entries(metrics ?? {}).map(([name, value]) => [name, String(value)]);
  return rows.length === 0 ? '' : `## Metrics\n\n${table(['metric', 'value'], rows)}`;
}

function dataSection(captured: Capture | undefined): string {
  const sources = captured?.lineage?.data ?? [];
  if (sources.length === 0 && captured?.profile === undefined) return '';
  const rows = sources.map(({ name, rows: count, columns, digest = '', source = '' }) => [
    name,
    count === undefined ? '' : `${count} rows, ${columns ?? '?'} columns`,
    source === '' ? digest : `${source} ${digest}`,
  ]);
  const known = rows.length === 0 ? '' : `${table(['data', 'size', 'digest'], rows)}\n`;
  return `## Training data\n\n${known}${ask('Say where the data comes from, and whom it is about.')}`;
}

function makingSection({ author, params = {}, captured }: CardFacts): string {
  const { model, environment, lineage } = captured ?? {};
  const git = lineage?.git;
  const commit = git && [git.commit, git.branch && `on ${git.branch}`, git.dirty && 'with uncommitted changes'];
  const facts: [string, string | undefined][] = [
    ['Author', author],
    ['Model', model?.class && [model.class, model.version].filter(Boolean).join(', version ')],
    ['Python', environment?.python && [environment.python, environment.platform].filter(Boolean).join(' on ')],
    ['Commit', commit?.filter(Boolean).join(' ')],
    ['Repository', git?.remote],
    ['Notebook', lineage?.notebook],
    ['Made from', lineage?.parents?.join(', ')],
  ];
  const known = facts.flatMap(([label, value]) => (value ? [`- ${label}: ${inline(value)}\n`] : [])).join('');
  const settings = Object.entries(params).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  const listed = settings.length === 0 ? '' : `\n${table(['parameter', 'value'], settings)}`;
  return known + listed === '' ? '' : `## How it was made\n\n${known}${listed}`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(inline).join(' | ')} |\n`;
  const rest = rows.length > MAX_ROWS ? `\n… and ${rows.length - MAX_ROWS} more\n` : '';
  return line(header) + line(header.map(() => '---')) + rows.slice(0, MAX_ROWS).map(line).join('') + rest;
}

/** A text that stays on its line and in its cell. */
function inline(text: string): string {
  return text
    .replace(/\s+/g, ' ')
    .replaceAll('|', '\\|')
    .replace(/[<`]/g, (mark) => (mark === '<' ? '&lt;' : '\\`'));
}

/** A text as a YAML scalar that cannot be read as anything else. */
function quote(text: string): string {
  return /^[A-Za-z][A-Za-z0-9_-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text)
    ? text
    : JSON.stringify(text);
}
