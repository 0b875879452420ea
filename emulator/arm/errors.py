"""Errors of Resource Manager, with the codes and texts that the service sends."""

from collections.abc import Iterable

from emulator.arm.body import Json


class ArmError(Exception):
    """An answer that is not a success.

    Args:
        status: The HTTP status.
        code: The service's code, which clients compare.
        message: The service's text.
        why: What the emulator knows beyond the service's text; sent as a detail, so that people see it too.
    """

    def __init__(self, status: int, code: str, message: str, why: str | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.why = why

    def body(self) -> Json:
        """Return the ARM error body."""
        error: Json = {"code": self.code, "message": self.message}
        if self.why:
            error["details"] = [{"code": self.code, "message": self.why}]
        return {"error": error}


def internal(why: str) -> ArmError:
    """Return the service's answer when it fails itself (text: Azure/azure-rest-api-specs #20424)."""
    return ArmError(500, "InternalServerError", f"An unexpected error occured while processing the request. {why}")


def invalid_parameter(parameter: str, why: str) -> ArmError:
    """Return the PostgreSQL service's refusal of a value.

    The text is the one seen in pulumi-azure-native #898; that it is used for every property is unverified.
    """
    message = f"Invalid value given for parameter {parameter}. Specify a valid parameter value."
    return ArmError(400, "InvalidParameterValue", message, why)


def invalid_property(why: str) -> ArmError:
    """Return the Cognitive Services refusal of a property (texts differ by property: unverified)."""
    return ArmError(400, "InvalidResourceProperties", why)


def missing_property(path: str) -> ArmError:
    """Return the refusal of a body without a property that it needs (unverified text)."""
    return ArmError(
        400, "InvalidRequestContent", f"The request content was invalid: the property '{path}' is required."
    )


def not_found(resource_type: str, name: str, group: str) -> ArmError:
    """Return ARM's answer for a resource that is not there."""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{resource_type}/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def child_not_found(resource_type: str, name: str) -> ArmError:
    """Return the PostgreSQL service's answer for a child that is not there (unverified text)."""
    message = f"The requested resource of type '{resource_type}' with name '{name}' was not found."
    return ArmError(404, "ResourceNotFound", message)


def parent_not_found(parent: str) -> ArmError:
    """Return ARM's answer for a child of a resource that is not there."""
    return ArmError(
        404,
        "ParentResourceNotFound",
        "Failed to perform 'write' on resource of a nested type, because the parent resource "
        f"'{parent}' could not be found.",
    )


def reference_not_found(resource: str, namespace: str, reference: str) -> ArmError:
    """Return the refusal of a resource that names another one which is not there.

    Networks have a text of their own (azure-quickstart-templates #5878); the others get that of Resource Manager's
    check of linked resources.
    """
    if namespace.lower() == "microsoft.network":
        message = (
            f"Resource {reference} referenced by resource {resource} was not found. Please make sure that the "
            "referenced resource exists, and that both resources are in the same region."
        )
        return ArmError(400, "InvalidResourceReference", message)
    parts = reference.strip("/").split("/")
    if len(parts) < 8:
        return ArmError(404, "ResourceNotFound", f"The resource '{reference}' was not found.")
    return not_found("/".join(parts[5:-1]), parts[-1], parts[3])


def nested_resources(child: str) -> ArmError:
    """Return the refusal to delete what has children (text: learntocloud/networking-lab #8)."""
    message = (
        f"Cannot delete resource while nested resources exist. Some existing nested resource IDs include: "
        f"'{child.rpartition('/providers/')[2]}'. Please delete all nested resources before deleting this resource."
    )
    return ArmError(409, "CannotDeleteResource", message)


def scope_locked(scope: str, verb: str, locked: Iterable[str]) -> ArmError:
    """Return the refusal by a lock (text: Azure/azure-cli #20232, Azure/apiops #606).

    Args:
        scope: What was to be deleted or changed.
        verb: `delete` or `write`.
        locked: The scopes that have the locks.
    """
    scopes = ", ".join(f"'{item}'" for item in locked)
    return ArmError(
        409,
        "ScopeLocked",
        f"The scope '{scope}' cannot perform {verb} operation because following scope(s) are locked: {scopes}. "
        "Please remove the lock and try again.",
    )


def subnet_in_use(name: str, user: str, change: str) -> ArmError:
    """Return the refusal to delete or to change a subnet in use (text: Azure/azure-data-labs-modules #268)."""
    return ArmError(
        400,
        f"InUseSubnetCannotBe{change.capitalize()}",
        f"Subnet {name} is in use by {user} and cannot be {change}. In order to delete the subnet, delete all the "
        "resources within the subnet. See aka.ms/deletesubnet.",
    )


def group_not_found(name: str) -> ArmError:
    """Return ARM's answer for a resource group that is not there."""
    return ArmError(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")


def group_deleting(name: str) -> ArmError:
    """Return ARM's refusal of writes in a group that is being deleted."""
    message = f"The resource group '{name}' is in deprovisioning state and cannot perform this operation."
    return ArmError(409, "ResourceGroupBeingDeleted", message)


def server_busy(name: str) -> ArmError:
    """Return the refusal of a second operation on one server (text: Azure/azure-postgresql #134)."""
    return ArmError(
        409,
        "ServerIsBusy",
        f"Cannot complete operation while server '{name}' is busy processing another operation. Try again later.",
    )


def server_not_accessible(name: str) -> ArmError:
    """Return the refusal of an administrator while the server is not ready (text: Azure/azure-postgresql #127)."""
    return ArmError(
        409,
        "AadAuthOperationCannotBePerformedWhenServerIsNotAccessible",
        f"The server '{name}' is not in an accessible state to perform Azure AD Principal operation. "
        "Please make sure the server is accessible before executing Azure AD Principal operations.",
    )


def request_conflict(parent: str) -> ArmError:
    """Return the refusal of a second operation on one account (azurerm #22939)."""
    return ArmError(
        409,
        "RequestConflict",
        f"Another operation is being performed on the parent resource '{parent}'. Please try again later. "
        "For more information, see https://aka.ms/cognitiveservices/conflict",
    )


def soft_deleted(resource_id: str) -> ArmError:
    """Return the refusal of an account whose name is soft-deleted (text: Azure/azure-cli #18146)."""
    return ArmError(
        409,
        "FlagMustBeSetForRestore",
        f"An existing resource with ID '{resource_id}' has been soft-deleted. To restore the resource, you must "
        "specify 'restore' to be 'true' in the property. If you don't want to restore existing resource, please "
        "purge it first.",
    )


def subdomain_in_use(name: str) -> ArmError:
    """Return the refusal of a taken subdomain (text: Azure-Samples/azure-search-openai-demo #1093)."""
    return ArmError(
        400,
        "CustomDomainInUse",
        f"Please pick a different name. The subdomain name '{name}' is not available as it's already used by a "
        "resource. If the resource using the name was deleted in the last 48 hours, you may need to purge the deleted "
        "resource. "
        'Learn more at "https://go.microsoft.com/fwlink/?linkid=2215493"',
    )


def unsupported_api_version(namespace: str, resource_type: str, version: str, supported: Iterable[str]) -> ArmError:
    """Return ARM's refusal of an api-version."""
    return ArmError(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for API version '{version}' for type '{resource_type}' in namespace "
        f"'{namespace}'. The supported api-versions are '{', '.join(supported)}'.",
    )
