// What the parts of the OpenAPI document are written with.

/** Refers to a component. */
export function reference(kind: "schemas" | "responses" | "headers", name: string) {
  return { $ref: `#/components/${kind}/${name}` };
}

/** Refers to problems by their status. */
export function problems(...statuses: readonly string[]) {
  return Object.fromEntries(
    statuses.map((status) => [status, reference("responses", `Problem${status}`)]),
  );
}

/** A body of JSON, with an example. */
export function json(schema: string, example: unknown) {
  return { "application/json": { schema: reference("schemas", schema), example } };
}

/** A body of JSON, with examples that have a name. */
export function jsonOf(schema: string, examples: Readonly<Record<string, unknown>>) {
  const named = Object.entries(examples).map(([name, value]) => [name, { value }]);
  return {
    "application/json": {
      schema: reference("schemas", schema),
      examples: Object.fromEntries(named),
    },
  };
}
