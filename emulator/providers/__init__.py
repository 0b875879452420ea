"""Resource providers for the Pulumi engine: `azure-native` over the emulator's Resource Manager, and `random`."""
