// Passwords that are wrong, or become so.

import { startFaultProxy } from "../../support/fault-proxy.ts";
import { type RedisServer, startRedis } from "../../support/redis-server.ts";
import type { Fault, Scene } from "../fault.ts";

const PASSWORD = "the-password-of-the-nodes";

async function locked(
  begin: (server: RedisServer) => Promise<unknown>,
  end: (server: RedisServer) => Promise<unknown>,
): Promise<Scene> {
  const server = await startRedis();
  const proxy = await startFaultProxy({ target: server.port });
  await server.client.config("SET", "requirepass", PASSWORD);
  return {
    connection: { kind: "url", url: `redis://:${PASSWORD}@127.0.0.1:${proxy.port}` },
    begin: async () => void (await begin(server)),
    end: async () => void (await end(server)),
    async stop() {
      await proxy.stop();
      await server.stop();
    },
  };
}

/** Sets another password; who is connected stays. */
const setPassword = (password: string) => (server: RedisServer) => {
  return server.client.config("SET", "requirepass", password);
};

/** Faults of credentials. */
export const CREDENTIAL_FAULTS: readonly Fault[] = [
  {
    name: "wrong-password",
    title: "Wrong password at the start, then the right one",
    leaves: "away",
    fromTheStart: true,
    open: () => locked(setPassword("another"), setPassword(PASSWORD)),
  },
  {
    name: "rotated-password",
    title: "Password changed at run time, connections ended, then changed back",
    leaves: "away",
    open: () =>
      locked(async (server) => {
        await setPassword("another")(server);
        // All but the one that says so.
        await server.client.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      }, setPassword(PASSWORD)),
  },
];
