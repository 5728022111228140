// An OpenID Connect provider on loopback, for the tests: its clients come in by themselves, and its access tokens say a role
// and a link as a hospital's provider would. Prints its address when it is ready; ends when nobody holds its input any more.
import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'

const people = {
  soto: { realm_access: { roles: ['offline_access', 'clinician'] }, practitioner: 'Practitioner/d1', preferred_username: 'soto' },
  ana: { realm_access: { roles: ['patient'] }, patient: 'p1' },
  nobody: { realm_access: { roles: ['gardener'] } },
  greedy: { realm_access: { roles: ['admin', 'patient'] }, patient: 'p1' },
}

let callback = (_, response) => response.writeHead(503).end()
const server = createServer((request, response) => callback(request, response))
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}/op`

const provider = new Provider(issuer, {
  clients: Object.keys(people).map((name) => ({
    client_id: name,
    client_secret: `${name}-secret`,
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    token_endpoint_auth_method: 'client_secret_post',
  })),
  scopes: ['openid', 'user/Observation.rs'],
  extraTokenClaims: (_, token) => people[token.clientId],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (_, resource) => ({
        scope: 'user/Observation.rs',
        audience: resource,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 300,
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
})
provider.on('server_error', (_, error) => console.error(error))
const answer = provider.callback()
callback = (request, response) => {
  // The provider is mounted under a path, as those with several realms are.
  if (!request.url.startsWith('/op')) {
    response.writeHead(404).end()
    return
  }
  request.originalUrl = request.url
  request.url = request.url.slice('/op'.length)
  answer(request, response)
}

console.log(issuer)
process.stdin.on('end', () => process.exit(0)).resume()
