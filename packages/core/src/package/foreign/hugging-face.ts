import { isJsonObject, type JsonObject, type JsonValue } from '../../json.ts';
import { parseCapture } from '../captured.ts';
import type { Inference } from '../package.ts';
import { type ForeignFolder, parseMap } from './foreign-folder.ts';
import { type ForeignFinding, mapOf, metadataText, telling, textOf, textsOf } from './foreign.ts';

const FILE = 'README.md';
/** Keys of a model card that nothing else writes. */
const KEYS = ['base_model', 'library_name', 'pipeline_tag', 'model-index', 'license', 'datasets'];

/** Reads the model card of a Hugging Face folder: licence, tags, base models, data sets and the metrics of its index. */
export async function readHuggingFace(folder: ForeignFolder): Promise<ForeignFinding | undefined> {
  const text = await folder.text(FILE);
  const front = /^\uFEFF?---\r?\n(.*?)\r?\n---\r?\n(.*)$/s.exec(text ?? '');
  const card = parseMap(front?.[1], FILE);
  if (card === undefined || !KEYS.some((key) => key in card)) return undefined;
  const parents = textsOf(card.base_model);
  const metrics = metricsOf(card['model-index']);
  const tags = telling({ task: card.pipeline_tag, library: card.library_name });
  return {
    kind: 'a Hugging Face folder',
    from: FILE,
    written: {
      'metadata.yaml': metadataText({
        description: firstParagraph(front?.[2] ?? ''),
        license: textOf(card.license_name) ?? textOf(card.license),
        trained_on_data: textsOf(card.datasets).join(', ') || undefined,
        hugging_face: telling({ ...card, license: undefined, 'model-index': undefined }),
      }),
    },
    captured: parseCapture(
      telling({
        tags,
        metrics,
        lineage: telling({ parents: parents.map((name) => (name.includes('://') ? name : `hf://${name}`)) }),
      }),
    ),
    understood: understood(card, parents, metrics),
  };
}

function understood(
  card: JsonObject,
  parents: readonly string[],
  metrics: Readonly<Record<string, number>>,
): Inference[] {
  const said = (what: string, values: readonly string[], key: string): Inference[] =>
    values.length === 0 ? [] : [{ what, value: values.join(', '), from: `from ${key} in ${FILE}` }];
  return [
    ...said('license', textsOf(card.license), 'license'),
    ...said('task', textsOf(card.pipeline_tag), 'pipeline_tag'),
    ...said('tags', textsOf(card.tags), 'tags'),
    ...said('parents', parents, 'base_model'),
    ...said('metrics', Object.keys(metrics), 'model-index'),
  ];
}

/** Every number of the index: `accuracy`, and `<dataset>/accuracy` from the second data set on. */
function metricsOf(index: JsonValue | undefined): Record<string, number> {
  const found: Record<string, number> = {};
  for (const result of lists(index).flatMap((model) => lists(model.results))) {
    for (const metric of lists(result.metrics)) {
      const name = textOf(metric.type) ?? textOf(metric.name);
      if (name === undefined || typeof metric.value !== 'number') continue;
      const dataset = textOf(mapOf(result.dataset).name) ?? textOf(mapOf(result.dataset).type) ?? '';
      found[name in found ? `${dataset}/${name}` : name] = metric.value;
    }
  }
  return found;
}

function lists(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.flatMap((one: JsonValue) => (isJsonObject(one) ? [one] : [])) : [];
}

const MAX_DESCRIPTION = 500;
/** Where the first paragraph is looked for. */
const MAX_BODY = 16 * 1024;

/** The first paragraph that is text: no heading, table, image or comment. */
function firstParagraph(body: string): string | undefined {
  const paragraphs = body
    .slice(0, MAX_BODY)
    .replace(/<!--.*?-->/gs, '')
    .split(/\r?\n\s*\r?\n/);
  const plain = paragraphs.map((part) => part.trim()).find((part) => part !== '' && !/^[#|!<>`[*-]/.test(part));
  return plain?.replace(/\s+/g, ' ').slice(0, MAX_DESCRIPTION);
}
