"""The operator's side: what changes who may use the gateway. It runs apart from the public doors, and alone holds a provisioner."""
