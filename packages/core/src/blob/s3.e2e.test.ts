import { startMoto } from '../../test/servers/moto.ts';
import { describeRemoteStore } from '../../test/servers/blob-suite.ts';
import { needServer } from '../../test/servers/need-server.ts';
import type { TestServer } from '../../test/servers/server.ts';
import { startVersitygw } from '../../test/servers/versitygw.ts';
import { openS3BlobStore } from './s3.ts';

await needServer('versitygw', startVersitygw, (server) =>
  describeRemoteStore('the S3 store on versitygw', subjectOf(server, true)),
);
await needServer('moto', startMoto, (server) =>
  describeRemoteStore('the S3 store on moto', {
    ...subjectOf(server, false),
    except: {
      'keys with line breaks and tabs stay apart, read back and are listed': 'moto finds no key with a line break',
      'of three writers of one large body exactly one creates it, all read its bytes, and nothing else stays':
        'moto checks the condition of a completion before it takes its lock',
    },
  }),
);

function subjectOf(server: TestServer, checksSignatures: boolean) {
  const env = { ...server.env, INGOT_S3_PART_MIB: '5' };
  return {
    port: server.port,
    open: (place: string, { port = server.port, silenceSeconds = 30 }) =>
      openS3BlobStore(`${server.address}/${place}`, {
        env: { ...env, AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`, INGOT_STORAGE_TIMEOUT: String(silenceSeconds) },
      }),
    openMissingPlace: () => openS3BlobStore('s3://modles', { env }),
    ...(checksSignatures && {
      openWithWrongCredentials: (place: string) =>
        openS3BlobStore(`${server.address}/${place}`, { env: { ...env, AWS_SECRET_ACCESS_KEY: 'wrong-secret-key' } }),
    }),
  };
}
