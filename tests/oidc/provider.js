// node provider.js PORT BACK: an OpenID Provider whose accounts are called after their groups,
// as anna.radiology. Prints "ready" when it listens.
import Provider from "oidc-provider";

const [port, back] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: "msnode", client_secret: "0123456789abcdef", redirect_uris: [back] }],
  claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
  conformIdTokenClaims: false,
  cookies: { keys: ["a key of this test"] },
  pkce: { required: () => true },
  findAccount: async (_, id) => ({
    accountId: id,
    claims: async () => ({
      sub: id,
      preferred_username: id.split(".")[0],
      groups: id.split(".").slice(1),
    }),
  }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
