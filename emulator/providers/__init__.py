"""Resource providers for the Pulumi engine: `azure-native` over the emulator's Resource Manager, and `random`."""

import os

# The daemon also starts PostgreSQL, as another user, which takes a fork. gRPC's own handler runs a poller in the child
# until it becomes the other program, on a descriptor that is closed by then, and kills it now and then (grpc/grpc issue
# 43055). Read once, when gRPC is imported.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
