// Addresses as sockets and proxies write them, and the keys they are counted under.

import assert from "node:assert/strict";
import { isIPv6 } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import { addressKey, checkIpv6Prefix } from "../../src/middleware/client-address.ts";

describe("addressKey", () => {
  // [address, prefix, key]
  const table: readonly [string, number, string | undefined][] = [
    ["192.0.2.1", 64, "192.0.2.1"],
    ["192.0.2.1:54321", 64, "192.0.2.1"],
    [" 192.0.2.1 ", 64, "192.0.2.1"],
    ["0.0.0.0", 64, "0.0.0.0"],
    ["255.255.255.255", 32, "255.255.255.255"],
    ["::ffff:192.0.2.1", 64, "192.0.2.1"],
    ["::FFFF:192.0.2.1", 64, "192.0.2.1"],
    ["::ffff:c000:201", 64, "192.0.2.1"],
    ["0:0:0:0:0:ffff:192.0.2.1", 64, "192.0.2.1"],
    ["0000:0000:0000:0000:0000:ffff:c000:0201", 128, "192.0.2.1"],
    ["[::ffff:192.0.2.1]:8080", 64, "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::/64"],
    ["2001:0db8:0001:0002:0003:0004:0005:0006", 64, "2001:db8:1:2::/64"],
    ["2001:DB8:1:2::", 64, "2001:db8:1:2::/64"],
    ["2001:db8:1:2::ffff", 64, "2001:db8:1:2::/64"],
    ["2001:db8::", 64, "2001:db8::/64"],
    ["2001:db8::1", 64, "2001:db8::/64"],
    ["2001:db8:0:1::1", 64, "2001:db8:0:1::/64"],
    ["2001:db8:1:2::192.0.2.1", 64, "2001:db8:1:2::/64"],
    ["::1", 64, "::/64"],
    ["::", 64, "::/64"],
    ["::1", 128, "::1"],
    ["::", 128, "::"],
    ["::192.0.2.1", 128, "::c000:201"],
    ["64:ff9b::192.0.2.1", 128, "64:ff9b::c000:201"],
    ["2001:db8:0:0:1:0:0:1", 128, "2001:db8::1:0:0:1"],
    ["2001:0:0:1:0:0:0:1", 128, "2001:0:0:1::1"],
    ["2001:db8:0:1:1:1:1:1", 128, "2001:db8:0:1:1:1:1:1"],
    ["1:2:3:4:5:6:7::", 128, "1:2:3:4:5:6:7:0"],
    ["::2:3:4:5:6:7:8", 128, "0:2:3:4:5:6:7:8"],
    ["2001:db8:1:2ff::1", 56, "2001:db8:1:200::/56"],
    ["2001:db8:1:2ff::1", 60, "2001:db8:1:2f0::/60"],
    ["2001:db8:ffff::1", 48, "2001:db8:ffff::/48"],
    ["2001:db8:ffff::1", 32, "2001:db8::/32"],
    ["2001:db8:ffff::1", 33, "2001:db8:8000::/33"],
    ["2001:db8::ffff", 127, "2001:db8::fffe/127"],
    ["fe80::1%eth0", 64, "fe80::/64"],
    ["fe80::1%25eth0", 128, "fe80::1"],
    ["[fe80::1%eth0]:443", 128, "fe80::1"],
    ["[2001:db8:1:2::9]", 64, "2001:db8:1:2::/64"],
    ["[2001:db8:1:2::9]:443", 64, "2001:db8:1:2::/64"],
    ["", 64, undefined],
    ["unknown", 64, undefined],
    ["_hidden", 64, undefined],
    ["localhost", 64, undefined],
    ["192.0.2", 64, undefined],
    ["192.0.2.256", 64, undefined],
    ["192.0.2.01", 64, undefined],
    ["192.0.2.1:", 64, undefined],
    ["192.0.2.1:port", 64, undefined],
    ["192.0.2.1, 192.0.2.2", 64, undefined],
    ["2001:db8::1::2", 64, undefined],
    ["2001:db8:1:2:3:4:5:6:7", 64, undefined],
    ["2001:db8::12345", 64, undefined],
    ["[2001:db8::1", 64, undefined],
    ["[]", 64, undefined],
    [":::", 64, undefined],
    ["%eth0", 64, undefined],
  ];
  for (const [address, prefix, key] of table) {
    it(`${JSON.stringify(address)} by /${prefix} is ${key}`, () => {
      assert.equal(addressKey(address, prefix), key);
    });
  }

  it("is one key for all spellings and all addresses of a prefix, and another beyond it", () => {
    const groups = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
      minLength: 8,
      maxLength: 8,
    });
    fc.assert(
      fc.property(
        groups,
        fc.integer({ min: 32, max: 128 }),
        fc.nat(127),
        (address, prefix, bit) => {
          const full = address.map((group) => group.toString(16).padStart(4, "0")).join(":");
          fc.pre(!full.startsWith("0000:0000:0000:0000:0000:ffff:"));
          const key = addressKey(full, prefix)!;
          // Canonical: Node's own parser writes the same text, and the key's own address has the same key.
          const [text = "", length] = key.split("/");
          assert.equal(length, prefix === 128 ? undefined : String(prefix));
          assert.ok(isIPv6(text));
          assert.equal(new URL(`http://[${text}]/`).hostname, `[${text}]`);
          assert.equal(addressKey(text, prefix), key);
          assert.equal(addressKey(`[${full.toUpperCase()}]:443`, prefix), key);
          const flipped = [...address];
          flipped[bit >> 4]! ^= 0x8000 >> (bit & 15);
          const other = addressKey(flipped.map((group) => group.toString(16)).join(":"), prefix);
          assert.equal(other === key, bit >= prefix);
        },
      ),
      { numRuns: 1_000 },
    );
  });
});

describe("checkIpv6Prefix", () => {
  it("takes 32 to 128", () => {
    for (const prefix of [32, 64, 128]) assert.equal(checkIpv6Prefix("p", prefix), prefix);
    for (const prefix of [31, 129, 64.5, Number.NaN, "64", null]) {
      assert.throws(() => checkIpv6Prefix("p", prefix), { code: "INVALID_OPTION", field: "p" });
    }
  });
});
