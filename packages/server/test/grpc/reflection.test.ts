import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { credentials, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { startTestService } from "../service-support.ts";

const require = createRequire(import.meta.url);
const folder = join(dirname(require.resolve("@grpc/reflection")), "../proto");
const { FileDescriptorProto } = require("protobufjs/ext/descriptor");

interface Reflection {
  list_services_response?: { service: { name: string }[] };
  file_descriptor_response?: { file_descriptor_proto: Buffer[] };
  error_response?: { error_code: number };
}

interface FieldDescriptor {
  readonly name: string;
  readonly number: number;
  readonly typeName?: string;
  readonly proto3Optional?: boolean;
}

interface MessageDescriptor {
  readonly name: string;
  readonly field: FieldDescriptor[];
  readonly nestedType: { readonly name: string }[];
}

/** Asks through a client made from the protocol's own proto file. */
function connect(context: TestContext, port: number, version: "v1" | "v1alpha") {
  const file = join(folder, `grpc/reflection/${version}/reflection.proto`);
  // biome-ignore lint/suspicious/noExplicitAny: grpc-js types loaded packages by hand
  const loaded = loadPackageDefinition(loadSync(file, { keepCase: true, defaults: false })) as any;
  const Client: ServiceClientConstructor = loaded.grpc.reflection[version].ServerReflection;
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  context.after(() => client.close());
  return (requests: readonly object[]): Promise<Reflection[]> => {
    return new Promise((resolve, reject) => {
      const answers: Reflection[] = [];
      const stream = client.ServerReflectionInfo!();
      stream.on("data", (answer: Reflection) => answers.push(answer));
      stream.on("error", reject);
      stream.on("end", () => resolve(answers));
      for (const request of requests) stream.write(request);
      stream.end();
    });
  };
}

for (const version of ["v1", "v1alpha"] as const) {
  test(`${version} lists the services and describes their messages as protoc would`, async (context) => {
    const { service } = await startTestService(context);
    const ask = connect(context, service.addresses.grpc.port, version);
    const [list, limiter, health, nothing] = await ask([
      { list_services: "*" },
      { file_containing_symbol: "tidegate.v1.RateLimiter" },
      { file_containing_symbol: "grpc.health.v1.Health" },
      { file_containing_symbol: "tidegate.v1.Nope" },
    ]);
    const names = list!.list_services_response!.service.map(({ name }) => name).sort();
    assert.deepEqual(names, ["grpc.health.v1.Health", "tidegate.v1.RateLimiter"]);
    assert.equal(nothing!.error_response!.error_code, 5);

    const response = messageOf(limiter!, "CheckLimitResponse");
    assert.deepEqual(
      response.field.map(({ number, name, proto3Optional }) => [number, name, proto3Optional]),
      [
        [1, "allowed", false],
        [2, "policy", false],
        [3, "key", false],
        [4, "limit_name", false],
        [5, "limit", false],
        [6, "remaining", false],
        [7, "retry_after_ms", true],
        [8, "reset_after_ms", false],
        [9, "source", false],
        [10, "delay_ms", false],
        [11, "soft", false],
        [12, "near_limit", false],
        [13, "shadow", false],
      ],
    );
    assert.deepEqual(messageOf(limiter!, "GetStatusResponse").field, response.field);

    const statuses = messageOf(health!, "HealthListResponse");
    assert.equal(statuses.nestedType[0]!.name, "StatusesEntry");
    assert.equal(statuses.field[0]!.typeName, "StatusesEntry");
  });
}

function messageOf(answer: Reflection, name: string): MessageDescriptor {
  for (const bytes of answer.file_descriptor_response!.file_descriptor_proto) {
    const file = FileDescriptorProto.decode(bytes) as { messageType: MessageDescriptor[] };
    const found = file.messageType.find((message) => message.name === name);
    if (found !== undefined) return found;
  }
  throw new Error(`no ${name} in the answer`);
}
