// What Redis was asked and what that cost it, by its own account (INFO), since the account was last begun anew.

import type { Redis } from "ioredis";

/** What clients send. Whatever else is counted runs inside of the scripts. */
const CALLS = /^(evalsha|eval)$/;
/** Of the commands inside of scripts, those that write a value. */
const WRITES = /^(set|setex|psetex|getset|incrby|hset|hincrby|hdel|del|unlink|zadd|zrem)$/;

/** The account. */
export interface RedisUse {
  /** Calls of scripts: the commands that clients sent. */
  readonly calls: number;
  /** Values written inside of scripts. */
  readonly updates: number;
  /** All commands inside of scripts. */
  readonly inside: number;
  /** Processor time of the whole server, in microseconds. */
  readonly cpuUs: number;
}

/** Begins an account; the function it returns answers what came since. */
export async function beginAccount(client: Redis): Promise<() => Promise<RedisUse>> {
  const cpuBefore = await cpuUsOf(client);
  await client.config("RESETSTAT");
  return async () => {
    const counts = countsOf(await client.info("commandstats"));
    const sum = (wanted: (name: string) => boolean) => {
      return [...counts].reduce((total, [name, count]) => total + (wanted(name) ? count : 0), 0);
    };
    return {
      calls: sum((name) => CALLS.test(name)),
      updates: sum((name) => WRITES.test(name)),
      inside: sum((name) => !CALLS.test(name) && !/^(info|config)/.test(name)),
      cpuUs: (await cpuUsOf(client)) - cpuBefore,
    };
  };
}

/** Calls of each command, by its name. */
function countsOf(info: string): Map<string, number> {
  const lines = info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm);
  return new Map([...lines].map(([, name, calls]) => [name!, Number(calls)]));
}

async function cpuUsOf(client: Redis): Promise<number> {
  const info = await client.info("cpu");
  const seconds = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(info)?.[1]);
  return 1e6 * (seconds("used_cpu_user") + seconds("used_cpu_sys"));
}

/** Redis' clock, in seconds. */
export async function secondsOf(client: Redis): Promise<number> {
  const [seconds, microseconds] = await client.time();
  return Number(seconds) + Number(microseconds) / 1e6;
}
