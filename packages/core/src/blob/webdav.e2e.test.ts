import { startApache } from '../../test/servers/apache.ts';
import { describeRemoteStore } from '../../test/servers/blob-suite.ts';
import { needServer } from '../../test/servers/need-server.ts';
import { openWebdavBlobStore } from './webdav.ts';

await needServer('apache', startApache, (apache) => {
  const addressOf = (place: string, port = apache.port) => `webdav://ana@127.0.0.1:${port}/stores/${place}`;
  describeRemoteStore('the WebDAV store on Apache', {
    port: apache.port,
    open: (place, { port, silenceSeconds }) =>
      openWebdavBlobStore(addressOf(place, port), {
        env: { ...apache.env, ...(silenceSeconds && { INGOT_STORAGE_TIMEOUT: String(silenceSeconds) }) },
      }),
    openWithWrongCredentials: (place) =>
      openWebdavBlobStore(addressOf(place), { env: { INGOT_WEBDAV_PASSWORD: 'wrong' } }),
  });
});
