resource café 
