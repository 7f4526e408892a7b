/** Makes an id that nobody else makes: 122 random bits, from the platform's source for secrets. */
export function createSystemId(): string {
  // In lower case it is already; but so V8 makes one flat text of 88 bytes of the rope of 490 that Node puts it
  // together as, and that would be kept as long as a permit or a reservation is.
  return crypto.randomUUID().toLowerCase();
}
