// The certified OpenID provider of npm as an issuer on loopback: client credentials, access tokens by RFC 9068.
// usage: node provider.mjs DIRECTORY-WITH-NODE_MODULES CERTIFICATE KEY
// A free port is chosen; `issuer URL` is printed when it listens. SIGHUP adds new keys, which sign from then on; SIGUSR2
// withdraws all but the newest. `keys N` is printed when either is done.
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [home, certificate, key] = process.argv.slice(2);
const module = createRequire(join(home, 'package.json')).resolve('oidc-provider');
const { default: Provider } = await import(pathToFileURL(module));

// Through PEM: in Node 20 a key object fresh from generateKeyPairSync can wait for itself for ever when it is exported.
const pem = { publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } };
const generate = (kind, options) => generateKeyPairSync(kind, { ...options, ...pem }).privateKey;
const fresh = () => Object.entries({
  RS256: generate('rsa', { modulusLength: 2048 }),
  PS256: generate('rsa', { modulusLength: 2048 }),
  ES256: generate('ec', { namedCurve: 'P-256' }),
  EdDSA: generate('ed25519'),
}).map(([alg, key]) => ({ ...createPrivateKey(key).export({ format: 'jwk' }), alg, use: 'sig' }));
// The newest first: the provider signs with the first that fits.
let keys = fresh();
const KINDS = keys.length;
const client = (id, more) => ({
  client_id: id,
  client_secret: 'not-a-secret-only-a-test-of-thirty-two',
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  ...more,
});

function provider(issuer) {
  return new Provider(issuer, {
    jwks: { keys },
    clients: [client('invoice-bot'), client('bound-bot', { dpop_bound_access_tokens: true })],
    scopes: ['read'],
    enabledJWA: { dPoPSigningAlgValues: ['ES256'] },
    ttl: { ClientCredentials: 300 },
    formats: {
      customizers: {
        // `odd` in the resource, JSON in base64url: members of header and payload to set, or to drop where they are null.
        jwt: (context, _token, jwt) => {
          const odd = new URL(context.oidc.params.resource).searchParams.get('odd') ?? 'e30';
          for (const [part, members] of Object.entries(JSON.parse(Buffer.from(odd, 'base64url')))) {
            jwt[part] = Object.fromEntries(Object.entries({ ...jwt[part], ...members }).filter(([, value]) => value !== null));
          }
        },
      },
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      dPoP: { enabled: true },
      resourceIndicators: {
        enabled: true,
        // The host of the resource is its audience; the fragmentless query picks the algorithm.
        getResourceServerInfo: (_context, resource) => ({
          scope: 'read',
          audience: resource.split('?')[0],
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: new URL(resource).searchParams.get('alg') } },
        }),
      },
    },
  });
}

let answer;
const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (request, response) => answer(request, response));
server.listen(0, '127.0.0.1', () => {
  const issuer = `https://localhost:${server.address().port}`;
  const publish = (published) => {
    keys = published;
    answer = provider(issuer).callback();
    console.log(`keys ${keys.length}`);
  };
  publish(keys);
  process.on('SIGHUP', () => publish([...fresh(), ...keys]));
  process.on('SIGUSR2', () => publish(keys.slice(0, KINDS)));
  console.log(`issuer ${issuer}`);
});
