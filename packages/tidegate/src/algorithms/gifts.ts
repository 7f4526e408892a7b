// What was given back to a token bucket while units that were taken later are in use: those return the earlier for it,
// and a receipt for some of them must know by how much, or it would give back what others use. Instants are kept on a
// line of their own, on which a gift moves nothing: there an instant is later by all gifts so far. Lua twin:
// remembered.lua.

/** The gifts of one limit and key. */
export interface Gifts {
  /** Microseconds of gifts whose place in the bucket has passed, or is not told apart any more. */
  passed: number;
  /** Of the others: their places on the line, ascending, and their microseconds. */
  places: number[];
  sizes: number[];
}

/** The most that are told apart; beyond them the two that are nearest to each other are taken for one. */
const MAX_GIFTS = 64;

export function createGifts(): Gifts {
  return { passed: 0, places: [], sizes: [] };
}

function totalOf({ passed, sizes }: Gifts): number {
  return sizes.reduce((sum, size) => sum + size, passed);
}

/** Returns gifts of which nothing is told apart. */
export function passedGifts(gifts: Gifts): Gifts {
  return { ...createGifts(), passed: totalOf(gifts) };
}

/** Returns the place of an instant as it is now. */
export function placeOf(gifts: Gifts, instant: number): number {
  return instant + totalOf(gifts);
}

/** Returns the place of the instant at which all units will have returned, those just taken the last of them. */
export function placeTaken(gifts: Gifts, instant: number): number {
  const place = placeOf(gifts, instant);
  const last = gifts.places.at(-1);
  // A clock that was stepped back, a reset or a changed rate has all units return earlier than was said.
  if (last !== undefined && last > place) Object.assign(gifts, passedGifts(gifts));
  return place;
}

/** Returns the instant of a place as it is now, or an earlier one. */
export function instantOf({ passed, places, sizes }: Gifts, place: number): number {
  let instant = place - passed;
  for (let index = 0; index < places.length && places[index]! <= place; index += 1) {
    instant -= sizes[index]!;
  }
  return instant;
}

/** Adds a gift of `size` microseconds, which units behind its place return the earlier for. */
export function addGift(gifts: Gifts, place: number, size: number, now: number): void {
  if (size <= 0) return;
  const { places, sizes } = gifts;
  const after = places.findIndex((other) => other > place);
  const index = after === -1 ? places.length : after;
  places.splice(index, 0, place);
  sizes.splice(index, 0, size);
  // All before the first has returned.
  while (places.length > 0 && places[0]! - gifts.passed - sizes[0]! <= now) {
    gifts.passed += sizes[0]!;
    places.shift();
    sizes.shift();
  }
  if (places.length > MAX_GIFTS) joinNearest(gifts);
}

/** Takes two for one in the place of the first: what lies between them is then said to return earlier than it does. */
function joinNearest({ places, sizes }: Gifts): void {
  let nearest = 1;
  for (let index = 2; index < places.length; index += 1) {
    const distance = places[index]! - places[index - 1]!;
    if (distance < places[nearest]! - places[nearest - 1]!) nearest = index;
  }
  sizes[nearest - 1]! += sizes[nearest]!;
  places.splice(nearest, 1);
  sizes.splice(nearest, 1);
}
