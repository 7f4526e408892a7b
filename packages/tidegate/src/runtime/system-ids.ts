/** Makes an id that nobody else makes: 122 random bits, from the platform's source for secrets. */
export function createSystemId(): string {
  return crypto.randomUUID();
}
