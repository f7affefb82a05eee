/** Gives the path of a server that tests start: a Go program's binary, or the directory of what is unpacked. */
export function testServer(
  name: 'helm' | 'kustomize' | 'kubernetes-schemas' | 'kserve-schemas' | 'monitoring-schemas' | 'compose-schema' | 'registry' | 'crane' | 'oras' | 'skopeo' | 'umoci' | 'bubblewrap' | 'runc' | 'versitygw' | 'fake-gcs-server' | 'toxiproxy' | 'schemathesis' | 'mlflow' | 'check-jsonschema' | 'moto' | 'azurite' | 's3rver' | 'apache' | 'nginx' | 'openssh' | 'rclone' | 'postgres',
): Promise<string>;
