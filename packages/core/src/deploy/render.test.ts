import { parse, parseAllDocuments } from 'yaml';
import { describe, expect, it } from 'vitest';
import { renderCompose } from './compose.ts';
import type { Deployment, RenderedFile } from './deployment.ts';
import { STOPPING } from './deployment.ts';
import { KSERVE_STOPPING, renderKserve } from './kserve.ts';
import { objectsOf, renderKubernetes } from './kubernetes.ts';
import { renderSystemd } from './systemd.ts';
import { SAMPLE_DEPLOYMENTS } from './testing/sample-deployments.ts';

const { generic, baked, imageVolume, hostile } = SAMPLE_DEPLOYMENTS;
const golden = (name: string): string => `testing/golden/${name}`;
const whole = (files: readonly RenderedFile[]): string =>
  files.map(({ path, text }) => `# --- ${path}\n${text}`).join('');

describe('what is rendered is what stands in the golden files', () => {
  it.each([
    ['kubernetes-generic.yaml', renderKubernetes(generic)],
    ['kubernetes-baked.yaml', renderKubernetes(baked)],
    ['kubernetes-image-volume.yaml', renderKubernetes(imageVolume)],
    ['kserve-generic.yaml', renderKserve(generic)],
    ['kserve-baked.yaml', renderKserve(baked)],
    ['kserve-modelcar.yaml', renderKserve(imageVolume)],
    ['compose-generic.yaml', renderCompose(generic)],
    ['compose-baked.yaml', renderCompose(baked)],
    ['compose-with-registry.yaml', renderCompose(generic, { withRegistry: true })],
    ['systemd-generic.service', renderSystemd(generic)],
  ])('%s', async (name, files) => {
    await expect(whole(files)).toMatchFileSnapshot(golden(name));
  });
});

describe('hostile texts stay texts', () => {
  const render = (deployment: Deployment) => [
    ...renderKubernetes(deployment),
    ...renderKserve(deployment),
    ...renderCompose(deployment),
  ];

  it('in YAML they are one document, and come back as they were', () => {
    for (const { text } of renderKubernetes(hostile)) expect(parseAllDocuments(text)).toHaveLength(1);
    const settings = renderKubernetes(hostile).find(({ path }) => path === 'configmap.yaml');
    const { data } = parse(settings?.text ?? '');
    expect(data).toMatchObject({ INGOT_MODELS: hostile.delivery.kind === 'download' ? hostile.delivery.models : '' });
    expect(data).toMatchObject({ ANSWER: 'no', OCTAL: '0777', QUOTE: hostile.variables?.QUOTE });
    for (const { text } of render(hostile)) {
      // As a reader of YAML 1.1 sees it, for whom `no` is a switch and 0777 a number.
      const old = parse(text, { version: '1.1' });
      expect(JSON.stringify(old)).toBe(JSON.stringify(parse(text)));
    }
  });

  it('compose finds no variable in them', () => {
    const [file] = renderCompose(hostile);
    const dollars = [...(file?.text ?? '').matchAll(/\$+/g)].map(([run]) => run.length);
    expect(dollars.length).toBeGreaterThan(3);
    expect(dollars.every((length) => length % 2 === 0)).toBe(true);
  });

  it('KServe and Kubernetes put nothing in', () => {
    const variables = { A: '$(HOME) {{.Name}}' };
    const named = renderKserve({ ...hostile, variables });
    const runtime = parse(named.find(({ path }) => path === 'servingruntime.yaml')?.text ?? '');
    const [container] = runtime.spec.containers;
    expect(container.env).toContainEqual({ name: 'A', value: '$$(HOME) {{`{{`}}.Name}}' });
    const service = parse(renderKserve({ ...baked, variables })[0]?.text ?? '');
    expect(service.spec.predictor.containers[0].env).toContainEqual({ name: 'A', value: '$$(HOME) {{.Name}}' });
  });

  it('a variable that is set for KServe stands once', () => {
    const set = renderKserve({ ...hostile, variables: { INGOT_LOG: 'text' } });
    const runtime = parse(set.find(({ path }) => path === 'servingruntime.yaml')?.text ?? '');
    const { env } = runtime.spec.containers[0];
    expect(env.filter(({ name }: { readonly name: string }) => name === 'INGOT_LOG')).toEqual([
      { name: 'INGOT_LOG', value: 'text' },
    ]);
  });

  it('a unit of systemd stays one line a setting, without specifiers', () => {
    const [unit] = renderSystemd(hostile);
    for (const line of (unit?.text ?? '').split('\n').slice(1)) expect(line).toMatch(/^(?:|\[\w+\]|\w+=.*)$/);
    expect((unit?.text ?? '').replaceAll('%%', '')).not.toContain('%');
  });
});

describe('a deployment for KServe', () => {
  it('says nothing that only one of the modes of deployment knows', () => {
    const texts = renderKserve(generic).map(({ text }) => text);
    const service = parse(texts.find((text) => text.includes('kind: "InferenceService"')) ?? '');
    // Knative scales by no processor, and takes rules of security for containers only.
    expect(service.spec.predictor).not.toHaveProperty('scaleMetric');
    expect(service.spec.predictor).not.toHaveProperty('securityContext');
    expect(texts[0]).toContain('RuntimeDefault');
  });

  it('stops within the 30 seconds that pods have there', () => {
    const { lingerSeconds, drainSeconds } = KSERVE_STOPPING;
    expect(lingerSeconds + drainSeconds + STOPPING.workersSeconds).toBeLessThan(30);
  });
});

describe('one machine', () => {
  it('may have several servers, each on a port of its own', () => {
    const second = { ...generic, variables: { INGOT_PORT: '8081' } };
    expect(parse(renderCompose(second)[0]?.text ?? '').services.serve.ports).toEqual(['127.0.0.1:8081:8081']);
    const unit = renderSystemd(second)[0]?.text ?? '';
    expect(unit).toContain('Environment="INGOT_PORT=8081"');
    expect(unit).toContain('Environment="INGOT_HOST=127.0.0.1"');
    expect(unit).not.toContain('8080');
  });
});

describe('a deployment for Kubernetes', () => {
  const podOf = (deployment: Deployment) => {
    const workload = parse(renderKubernetes(deployment).find(({ path }) => path === 'deployment.yaml')?.text ?? '');
    return workload.spec;
  };

  it('leaves the number of pods to the autoscaler where there is one', () => {
    expect(podOf(generic)).not.toHaveProperty('replicas');
    expect(podOf(baked).replicas).toBe(3);
    expect(objectsOf(baked).map(({ kind }) => kind)).not.toContain('HorizontalPodAutoscaler');
  });

  it('gives a pod longer to stop than the server takes', () => {
    const { template } = podOf(generic);
    const [container] = template.spec.containers;
    const preStop = container.lifecycle.preStop.sleep.seconds;
    expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThan(
      preStop + STOPPING.lingerSeconds + STOPPING.drainSeconds,
    );
    const patient = podOf({ ...generic, variables: { INGOT_DRAIN: '120s', INGOT_LINGER: '4.5' } }).template.spec;
    expect(patient.terminationGracePeriodSeconds).toBe(5 + 5 + 120 + STOPPING.workersSeconds);
  });

  it('changes its pods when its settings change, and only then', () => {
    const nameOf = (deployment: Deployment) =>
      podOf(deployment).template.spec.containers[0].envFrom[0].configMapRef.name;
    const moved = { ...generic, delivery: { ...generic.delivery, models: 'churn:8' } } as Deployment;
    expect(nameOf(generic)).not.toBe(nameOf(moved));
    expect(nameOf({ ...generic, cpu: { request: '2' } })).toBe(nameOf(generic));
  });

  it('tells of no version that an alias may leave', () => {
    expect(JSON.stringify(objectsOf(generic))).not.toContain('ingot.dev/version');
    expect(JSON.stringify(objectsOf(baked))).toContain('"ingot.dev/version":"7"');
  });

  it('lets servers with the model in the image reach nobody, and others their registry', () => {
    const policyOf = (deployment: Deployment) =>
      parse(renderKubernetes(deployment).find(({ path }) => path === 'networkpolicy.yaml')?.text ?? '').spec;
    const egress = (deployment: Deployment) => policyOf(deployment).egress;
    for (const alone of [baked, imageVolume]) {
      expect(policyOf(alone).policyTypes).toContain('Egress');
      expect(egress(alone)).toBeUndefined();
    }
    const ports = JSON.stringify(egress(hostile));
    expect(ports).toContain('9443');
    expect(ports).toContain('169.254.170.23/32');
    const variables = { AWS_ENDPOINT_URL: 'http://minio:9000/', ODD: 'http://x:99999/?endpoint=%zz', TEXT: 'http: no' };
    expect(egress({ ...hostile, variables })[1].ports.map(({ port }: { readonly port: number }) => port)).toEqual([
      443, 9000, 9443,
    ]);
  });

  it('lets servers reach a registry in the cluster by the port of its pods, as policies see no other', () => {
    const policy = renderKubernetes(generic).find(({ path }) => path === 'networkpolicy.yaml');
    expect(parse(policy?.text ?? '').spec.egress).toContainEqual({
      to: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'app.kubernetes.io/name': 'ingot-registry' } } }],
      ports: [{ protocol: 'TCP', port: 8585 }],
    });
  });

  it('serves what lies in an image of its own, in a directory of its name or not', () => {
    const settings = renderKubernetes(imageVolume).find(({ path }) => path === 'configmap.yaml');
    expect(parse(settings?.text ?? '').data.INGOT_MODELS).toBe('baked:/models');
  });

  it('leaves out what the cluster does not have', () => {
    const without = new Set(['servicemonitor', 'networkpolicy'] as const);
    const kinds = objectsOf({ ...generic, without }).map(({ kind }) => kind);
    expect(kinds).toEqual([
      'ServiceAccount',
      'ConfigMap',
      'Service',
      'Deployment',
      'PodDisruptionBudget',
      'HorizontalPodAutoscaler',
    ]);
  });
});
