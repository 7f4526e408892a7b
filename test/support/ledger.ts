// Keeps account of what many callers take and give back at once, by their answers alone: for each account, how many
// units are in use at least and at most. Every answer is held against it, and in the end what Redis says is.

import assert from "node:assert/strict";

/** Units of one account. Of one policy key, that is. */
export interface Entry {
  readonly policy: string;
  readonly key: string;
  readonly cost: number;
}

/** What has been asked for and not been answered. */
export interface Taking {
  /** Says that it was admitted; throws where there cannot have been room for it. */
  admitted(): void;
  /** Says that it was denied; throws where there was room, for all of its entries and all the time. */
  denied(): void;
  /** Says that it may have been carried out or not, and that nobody will know. */
  unanswered(): void;
}

/** The account of one policy key. */
export interface Account {
  readonly policy: string;
  readonly key: string;
  readonly limit: number;
  /** Units that are in use at least, whatever was carried out of what is not answered. */
  readonly low: number;
  /** Units that are in use at most. */
  readonly high: number;
}

interface OpenAccount extends Account {
  low: number;
  high: number;
  readonly flights: Set<Flight>;
}

/** What an account held at least and at most while an ask was under way, with what that asks for. */
interface Flight {
  readonly account: OpenAccount;
  readonly cost: number;
  least: number;
  most: number;
}

/** The accounts of a run. */
export class Ledger {
  readonly #accounts = new Map<string, OpenAccount>();
  readonly #limitOf: (policy: string) => number;

  constructor(limitOf: (policy: string) => number) {
    this.#limitOf = limitOf;
  }

  get accounts(): readonly Account[] {
    return [...this.#accounts.values()];
  }

  /** Says that entries, of accounts that differ, are about to be asked for, as one. */
  take(entries: readonly Entry[]): Taking {
    const flights = entries.map((entry): Flight => {
      const account = this.#accountOf(entry);
      change(account, 0, entry.cost);
      const { low: least, high: most } = account;
      const flight = { account, cost: entry.cost, least, most };
      account.flights.add(flight);
      return flight;
    });
    const end = () => {
      for (const flight of flights) flight.account.flights.delete(flight);
    };
    return {
      admitted() {
        end();
        for (const { account, cost, least } of flights) {
          const { policy, key, limit } = account;
          const said = `${cost} of ${policy}:${key}, where at least ${least} of ${limit} were in use`;
          assert.ok(cost === 0 || least + cost <= limit, `admitted ${said}`);
          change(account, cost, 0);
        }
      },
      denied() {
        end();
        const bound = flights.some(({ account, cost, most }) => cost > 0 && most > account.limit);
        const said = flights.map(({ account, cost, most }) => {
          return `${cost} of ${account.policy}:${account.key} (at most ${most} of ${account.limit} with it)`;
        });
        assert.ok(bound, `denied ${said.join(", ")}`);
        for (const { account, cost } of flights) change(account, 0, -cost);
      },
      unanswered: end,
    };
  }

  /** Says that the units in use are about to be read. The answer, which is what was read, is held against them. */
  look(entry: Pick<Entry, "policy" | "key">): (units: number) => void {
    const account = this.#accountOf(entry);
    const flight = { account, cost: 0, least: account.low, most: account.high };
    account.flights.add(flight);
    return (units) => {
      account.flights.delete(flight);
      const { policy, key } = account;
      const { least, most } = flight;
      const said = `${units} units of ${policy}:${key} in use, and not ${least} to ${most}`;
      assert.ok(least <= units && units <= most, said);
    };
  }

  /** Says that units which were taken are about to be given back. The answer says that it is done. */
  give(entry: Entry): () => void {
    const account = this.#accountOf(entry);
    change(account, -entry.cost, 0);
    return () => change(account, 0, -entry.cost);
  }

  /** Says that an estimate which was taken is about to be settled. The answer says that it is done. */
  settle(entry: Entry, actual: number): () => void {
    const account = this.#accountOf(entry);
    const less = Math.min(actual - entry.cost, 0);
    const more = Math.max(actual - entry.cost, 0);
    change(account, less, more);
    return () => change(account, more, less);
  }

  #accountOf({ policy, key }: Pick<Entry, "policy" | "key">): OpenAccount {
    const name = `${policy}:${key}`;
    let account = this.#accounts.get(name);
    if (account === undefined) {
      account = { policy, key, limit: this.#limitOf(policy), low: 0, high: 0, flights: new Set() };
      this.#accounts.set(name, account);
    }
    return account;
  }
}

function change(account: OpenAccount, low: number, high: number): void {
  account.low += low;
  account.high += high;
  for (const flight of account.flights) {
    flight.least = Math.min(flight.least, account.low);
    flight.most = Math.max(flight.most, account.high);
  }
}
