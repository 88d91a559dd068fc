"""The envelope's protobuf class, from the compiled schema: the wire's shape, as are the TypedDicts beside it.

The client and the emulator both read it, each with a codec of its own on top; recordings and a real server
check the field numbers. Not imported by the package: protobuf is loaded by who speaks it.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory


@cache
def envelope_class() -> type[message.Message]:
    """The class of an envelope.

    Built here, not generated as Python: such code runs with one major version of protobuf only. In a pool of
    its own, so that no other definitions of a program can clash with it.
    """
    compiled = resources.files("nakama_bots.types").joinpath("schema/realtime.binpb").read_bytes()
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(compiled).file:
        pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("nakama_bots.realtime.Envelope"))
