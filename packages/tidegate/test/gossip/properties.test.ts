// Properties of the replicated state: whichever order messages come in, how often, how late, and whichever are lost,
// all nodes come to say the same of every key, the later version wins, and what is learned is in sum what was said.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteWriter } from "../../src/gossip/bytes.ts";
import { CountedKeys } from "../../src/gossip/keys.ts";
import { MessageWriter } from "../../src/gossip/message.ts";
import { Origin, type OriginRegister } from "../../src/gossip/origin.ts";
import { Replica } from "../../src/gossip/replica.ts";
import { headerOf, readWhole } from "./messages.ts";
import { readInto } from "./read-into.ts";

const KEYS = ["a", "b", "c"];

/** A node that says what it admitted, and sums up what others did. */
class Node {
  readonly keys = new CountedKeys();
  readonly replica: Replica;
  /** By register of another, the units that were learned of it: counted, or taken over when it was met. */
  readonly learned = new Map<string, number>();
  readonly #registers = new Map<string, OriginRegister>();
  #ids = 0;

  constructor(instance: string) {
    const own = new Origin(instance);
    own.version = 1;
    this.replica = new Replica(own, this.keys, (register, before) => {
      const name = `${register.origin.instance} ${register.id} ${register.key.name}`;
      const sum = this.learned.get(name) ?? 0;
      if (before.isStrange) this.learned.set(name, register.units);
      else this.learned.set(name, sum + register.units - before.units);
    });
  }

  admit(name: string, units: number, isAnew: boolean): void {
    const { own } = this.replica;
    const key = this.keys.obtain("api", name)!;
    let register = this.#registers.get(name);
    if (register !== undefined && isAnew) {
      own.drop(register);
      register = undefined;
    }
    own.version += 1;
    if (register === undefined) {
      this.#ids += 1;
      register = own.create(this.#ids, key, own.version, 1);
      this.#registers.set(name, register);
    }
    register.units += units;
    own.wrote(register, own.version, 0);
  }

  digest(): Map<string, number> {
    return new Map([...this.replica.origins()].map(({ instance, version }) => [instance, version]));
  }

  /** Writes what another does not know, by what it knew. */
  tell(digest: ReadonlyMap<string, number>, maxBytes: number): Uint8Array {
    const writer = new MessageWriter(new ByteWriter(), headerOf({ kind: "push" }), 0, maxBytes);
    writer.digest([...this.replica.origins()]);
    this.replica.tell(writer, digest, () => true);
    return writer.bytes.slice();
  }

  /** All registers that are known: what they say, and in which version. */
  state(): Record<string, unknown> {
    const state: Record<string, unknown> = {};
    for (const origin of this.replica.origins()) {
      const registers = [...origin.registers()].map(({ id, key, version, units }) => {
        return `${id} ${key.name} v${version} ${units}`;
      });
      state[origin.instance] = [origin.version, ...registers.sort()];
    }
    return state;
  }
}

type Step =
  | { readonly kind: "admit"; node: number; key: number; units: number; isAnew: boolean }
  | { readonly kind: "send"; from: number; to: number; isStale: boolean }
  | { readonly kind: "arrive"; message: number; isKept: boolean }
  | { readonly kind: "restart"; node: number };

const node = fc.nat(4);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      ...{ kind: fc.constant("admit" as const), node, key: fc.nat(2) },
      units: fc.integer({ min: -3, max: 9 }),
      isAnew: fc.nat(9).map((value) => value === 0),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      ...{ kind: fc.constant("send" as const), from: node, to: node, isStale: fc.boolean() },
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      ...{ kind: fc.constant("arrive" as const), message: fc.nat(50), isKept: fc.boolean() },
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const), node }) },
);

/** Lets all exchange with all until nobody learns anything. */
function settle(nodes: readonly Node[]): void {
  for (let round = 0; round < 40; round += 1) {
    const before = JSON.stringify(nodes.map((one) => one.state()));
    for (const from of nodes) {
      for (const to of nodes) readInto(to.replica, from.tell(to.digest(), 100_000));
    }
    if (JSON.stringify(nodes.map((one) => one.state())) === before) return;
  }
  assert.fail("it does not settle");
}

test("after any history of messages late, lost, repeated and cut short, all nodes know the same", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 5 }),
      fc.constantFrom(60, 200, 100_000),
      fc.array(step, { maxLength: 120 }),
      (count, maxBytes, steps) => {
        let lives = 0;
        const start = () => {
          lives += 1;
          return new Node(lives.toString(16).padStart(16, "0"));
        };
        const nodes = Array.from({ length: count }, start);
        const under: { readonly to: number; readonly message: Uint8Array }[] = [];
        const digests = nodes.map((one) => one.digest());
        for (const one of steps) {
          if (one.kind === "admit") {
            nodes[one.node % count]!.admit(KEYS[one.key]!, one.units, one.isAnew);
          } else if (one.kind === "restart") {
            nodes[one.node % count] = start();
          } else if (one.kind === "send") {
            const to = one.to % count;
            // By a digest of now, or by one of long ago.
            if (!one.isStale) digests[to] = nodes[to]!.digest();
            under.push({ to, message: nodes[one.from % count]!.tell(digests[to]!, maxBytes) });
          } else if (under.length > 0) {
            const at = one.message % under.length;
            const { to, message } = under[at]!;
            // To the node that is there now, be it the same one or not.
            readInto(nodes[to]!.replica, message);
            if (!one.isKept) under.splice(at, 1);
          }
        }
        settle(nodes);
        const states = nodes.map((one) => one.state());
        for (const state of states) assert.deepEqual(state, states[0]);
        for (const one of nodes) requireSums(one, nodes);
      },
    ),
    { numRuns: 300 },
  );
});

/** What a node learned of each register of another, in all, is what that says. */
function requireSums(one: Node, nodes: readonly Node[]): void {
  for (const other of nodes) {
    if (other === one) continue;
    const { own } = other.replica;
    for (const { id, key, units } of own.registers()) {
      const name = `${own.instance} ${id} ${key.name}`;
      assert.equal(one.learned.get(name) ?? 0, units, name);
    }
  }
}

/** Some messages of some nodes about the same keys. */
const messages = fc
  .array(fc.array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 9 })), { maxLength: 8 }), {
    minLength: 1,
    maxLength: 3,
  })
  .map((said) => {
    return said.flatMap((admissions, index) => {
      const one = new Node(`${index}`.padStart(16, "e"));
      const whole = [one.tell(new Map(), 100_000)];
      for (const [key, units] of admissions) {
        one.admit(KEYS[key]!, units, false);
        whole.push(one.tell(new Map(), 100_000));
      }
      return whole;
    });
  });

const stateAfter = (list: readonly Uint8Array[]) => {
  const one = new Node("ffffffffffffffff");
  for (const message of list) readInto(one.replica, message);
  return one.state();
};

test("to merge is commutative, associative and idempotent", () => {
  fc.assert(
    fc.property(
      messages.chain((list) => {
        return fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }));
      }),
      ([list, shuffled]) => {
        const state = stateAfter(list);
        assert.deepEqual(stateAfter(shuffled), state);
        assert.deepEqual(stateAfter([...list, ...shuffled, ...list]), state);
        // In groups: what one merged is told on by it.
        const middle = new Node("0000000000000000");
        for (const message of shuffled.slice(list.length >> 1)) readInto(middle.replica, message);
        const passedOn = middle.tell(new Map(), 100_000);
        const grouped = stateAfter([...shuffled.slice(0, list.length >> 1), passedOn]);
        delete grouped["0000000000000000"];
        assert.deepEqual(grouped, state);
      },
    ),
  );
});

test("of two versions the later is kept, whichever comes first", () => {
  const one = new Node("00000000000000aa");
  one.admit("a", 5, false);
  const early = one.tell(new Map(), 1_000);
  one.admit("a", -2, false);
  const late = one.tell(new Map(), 1_000);
  assert.equal(readWhole(late).blocks[0]!.registers[0]!.units, 3);
  assert.deepEqual(stateAfter([early, late]), stateAfter([late, early]));
  assert.deepEqual(stateAfter([late, early])["00000000000000aa"], [3, "1 a v3 3"]);
});
